#!/usr/bin/env python3
"""The demo's server, driven as strangers would: http.client, curl, wrk, and sockets that misbehave.
ctest: timeout=180 serial"""
import hashlib
import http.client
import re
import shutil
import signal
import socket
import struct
import subprocess
import threading
import time
import unittest

import server as demo

GET = b"GET %s HTTP/1.1\r\nHost: t\r\n\r\n"


class ServerCase(unittest.TestCase):
    """One server for all; setUpClass is at the end of its start."""

    @classmethod
    def setUpClass(cls):
        cls.server = demo.Server("--workers", "2")
        cls.at_start = cls.server.descriptors()

    @classmethod
    def tearDownClass(cls):
        status, _, err = cls.server.end()
        if status != 0 or err:
            raise AssertionError(f"ended with {status}, standard error: {err!r}")

    def tearDown(self):
        """Whatever a client did, the server gives its descriptor back, and still answers."""
        self.assertIsNone(self.server.process.poll(), "the server has died")
        may_be = self.at_start + 1  # the one that it keeps in reserve may come a moment after its first line
        left = self.server.settle(may_be)
        self.assertLessEqual(left, may_be, "descriptors leaked")
        status, body = self.get("/plain")
        self.assertEqual((status, body), (200, "hello from weft\n"))

    def get(self, path, method="GET", body=None, headers=None):
        connection = http.client.HTTPConnection("127.0.0.1", self.server.port, timeout=demo.LIMIT_S)
        try:
            connection.request(method, path, body, headers or {})
            answer = connection.getresponse()
            return answer.status, answer.read().decode()
        finally:
            connection.close()

    def raw(self, request):
        with self.server.connect() as connection:
            return demo.exchange(connection, request)

    def status_of(self, request):
        answer = self.raw(request)
        self.assertTrue(answer.startswith(b"HTTP/1.1 "), answer[:100])
        return int(answer.split()[1])


class Routes(ServerCase):
    def test_plain(self):
        self.assertEqual(self.get("/plain"), (200, "hello from weft\n"))

    def test_index(self):
        status, body = self.get("/")
        self.assertEqual(status, 200)
        for route in ("/plain", "/compute", "/sleep", "/digest"):
            self.assertIn(route, body)

    def test_compute(self):
        for _ in range(10):
            self.assertEqual(self.get("/compute"), (200, "6542 primes below 65536, counted in 64 leaves\n"))

    def test_sleep(self):
        self.assertEqual(self.get("/sleep"), (200, "slept 5 ms\n"))
        before = time.monotonic()
        self.assertEqual(self.get("/sleep?ms=120"), (200, "slept 120 ms\n"))
        self.assertGreaterEqual(time.monotonic() - before, 0.12)
        self.assertEqual(self.get("/sleep?ms=0"), (200, "slept 0 ms\n"))

    def test_sleep_bad_query(self):
        for query in ("ms=", "ms=abc", "ms=-1", "ms=1001", "ms=99999999999999999999", "ms=5x", "x=5", "ms"):
            status, body = self.get("/sleep?" + query)
            self.assertEqual((status, query), (400, query))
            self.assertIn("0 to 1000", body)

    def test_digest(self):
        status, body = self.get("/digest")
        self.assertEqual(status, 200)
        found = re.fullmatch(r"sha256 ([0-9a-f]{64}) of (\d+) pieces of 65536 bytes\n", body)
        self.assertTrue(found, body)
        sha = hashlib.sha256()
        for _ in range(int(found.group(2))):
            sha.update(bytes(range(256)) * 256)
        self.assertEqual(found.group(1), sha.hexdigest())

    def test_unknown_route(self):
        status, body = self.get("/nowhere")
        self.assertEqual(status, 404)
        self.assertIn("/nowhere", body)
        self.assertEqual(self.get("/plain/")[0], 404)

    def test_head(self):
        with self.server.connect() as connection:
            answer = demo.exchange(connection, b"HEAD /plain HTTP/1.1\r\nHost: t\r\n\r\n")
        head, body = answer.split(b"\r\n\r\n", 1)
        self.assertIn(b"Content-Length: 16", head)
        self.assertEqual(body, b"")

    def test_query_is_no_part_of_the_path(self):
        self.assertEqual(self.get("/plain?x=1&y=/digest")[0], 200)


class Protocol(ServerCase):
    def test_keep_alive(self):
        connection = http.client.HTTPConnection("127.0.0.1", self.server.port, timeout=demo.LIMIT_S)
        connection.connect()
        port = connection.sock.getsockname()[1]
        for path in ("/plain", "/nowhere", "/sleep?ms=1", "/compute", "/plain") * 5:
            connection.request("GET", path)
            answer = connection.getresponse()
            answer.read()
            self.assertEqual(answer.status, 404 if path == "/nowhere" else 200)
            self.assertEqual(connection.sock.getsockname()[1], port)  # http.client reconnects when it was closed
        connection.close()

    def test_post_is_refused_and_the_connection_goes_on(self):
        connection = http.client.HTTPConnection("127.0.0.1", self.server.port, timeout=demo.LIMIT_S)
        for body in (b"", b"x" * 10, b"y" * 60000, iter([b"chunk one", b"chunk two"])):
            connection.request("POST", "/plain", body)
            answer = connection.getresponse()
            self.assertEqual(answer.status, 405)
            self.assertEqual(answer.getheader("Allow"), "GET, HEAD")
            self.assertIn("POST", answer.read().decode())
            self.assertFalse(answer.will_close)
        connection.request("GET", "/plain")
        self.assertEqual(connection.getresponse().read(), b"hello from weft\n")
        connection.close()

    def test_connection_close(self):
        with self.server.connect() as connection:
            connection.sendall(b"GET /plain HTTP/1.1\r\nHost: t\r\nConnection: close\r\n\r\n")
            answer = demo.receive_all(connection)
        self.assertIn(b"Connection: close", answer)
        self.assertTrue(answer.endswith(b"hello from weft\n"))

    def test_http_1_0(self):
        with self.server.connect() as connection:
            connection.sendall(b"GET /plain HTTP/1.0\r\n\r\n")
            self.assertTrue(demo.receive_all(connection).endswith(b"hello from weft\n"))
        with self.server.connect() as connection:
            for _ in range(2):
                connection.sendall(b"GET /plain HTTP/1.0\r\nConnection: keep-alive\r\n\r\n")
                self.assertEqual(demo.receive_answer(connection)[1], b"hello from weft\n")

    def test_pipelining(self):
        paths = [b"/plain", b"/sleep?ms=3", b"/nowhere", b"/compute", b"/plain", b"/digest"] * 4
        answer = self.raw(b"".join(GET % path for path in paths))
        statuses = re.findall(rb"HTTP/1\.1 (\d+) ", answer)
        self.assertEqual(statuses, [b"404" if path == b"/nowhere" else b"200" for path in paths])
        bodies = [answer.find(words) for words in (b"hello", b"slept 3", b"/nowhere", b"6542", b"sha256")]
        self.assertEqual(bodies, sorted(bodies))  # in the order of the requests

    def test_many_pipelined(self):
        n = 2000  # far more than one buffer, both ways
        answers = []
        with self.server.connect() as connection:
            reader = threading.Thread(target=lambda: answers.append(demo.receive_all(connection)))
            reader.start()
            connection.sendall(GET % b"/plain" * n)
            connection.shutdown(socket.SHUT_WR)
            reader.join(demo.LIMIT_S)
        self.assertEqual(answers[0].count(b"hello from weft\n"), n)

    def test_half_closed_client_gets_its_answer(self):
        self.assertTrue(self.raw(GET % b"/sleep?ms=50").endswith(b"slept 50 ms\n"))

    def test_bytes_one_by_one(self):
        with self.server.connect() as connection:
            for byte in GET % b"/plain":
                connection.sendall(bytes([byte]))
                time.sleep(0.005)
            self.assertEqual(demo.receive_answer(connection), (b"HTTP/1.1 200 OK", b"hello from weft\n"))

    def test_slow_reader(self):
        n = 20000  # answers worth 2.5 MB: the server has to wait for this client, and only for it
        with socket.socket() as connection:
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
            connection.settimeout(demo.LIMIT_S)
            connection.connect(("127.0.0.1", self.server.port))
            writer = threading.Thread(target=lambda: (connection.sendall(GET % b"/plain" * n),
                                                      connection.shutdown(socket.SHUT_WR)))
            writer.start()
            time.sleep(0.3)
            self.assertEqual(self.get("/plain")[0], 200)
            answer = demo.receive_all(connection)
            writer.join(demo.LIMIT_S)
        self.assertEqual(answer.count(b"hello from weft\n"), n)

    def test_upgrade_is_ignored(self):
        request = b"GET /plain HTTP/1.1\r\nHost: t\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n"
        self.assertEqual(self.status_of(request + GET % b"/plain"), 200)

    def test_other_methods(self):
        for method in (b"PUT", b"DELETE", b"OPTIONS", b"PATCH", b"TRACE"):
            self.assertEqual(self.status_of(method + b" /plain HTTP/1.1\r\nHost: t\r\n\r\n"), 405)


class BadInput(ServerCase):
    def refused(self, request, status):
        """The answer has the status and words, says that the connection ends, and it does, though we keep it open."""
        with self.server.connect() as connection:
            try:
                connection.sendall(request)
            except (BrokenPipeError, ConnectionResetError):
                pass
            answer = demo.receive_all(connection)
        self.assertTrue(answer.startswith(b"HTTP/1.1 %d " % status), answer[:120])
        self.assertIn(b"Connection: close", answer)
        self.assertGreater(len(answer.split(b"\r\n\r\n", 1)[1]), 5, "no words")
        self.assertEqual(len(re.findall(rb"HTTP/1\.1 \d+ ", answer)), 1)

    def test_garbage(self):
        for request in (b"\x00\x01\x02\xff\xfe\r\n\r\n", b"hello\r\n\r\n", b"GET\r\n\r\n", b"GET /plain\x00 HTTP/1.1\r\n\r\n",
                        b"GET /plain HTTP/x.y\r\n\r\n", b"GET /plain HTTP/1.1\r\nno colon here\r\n\r\n",
                        b"get /plain HTTP/1.1\r\n\r\n", b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + b"\x42" * 200):
            with self.subTest(request=request[:40]):
                self.refused(request, 400)

    def test_garbage_after_a_good_request(self):
        answer = self.raw(GET % b"/plain" + b"\xff\xff\xff\r\n\r\n" + GET % b"/plain")
        self.assertEqual(re.findall(rb"HTTP/1\.1 (\d+) ", answer), [b"200", b"400"])

    def test_huge_header(self):
        self.refused(b"GET /plain HTTP/1.1\r\nHost: t\r\nX: " + b"a" * 9000, 431)
        self.refused(b"GET /plain HTTP/1.1\r\n" + b"".join(b"X-%d: y\r\n" % i for i in range(2000)) + b"\r\n", 431)

    def test_header_below_the_limit(self):
        request = b"GET /plain HTTP/1.1\r\nHost: t\r\nX: " + b"a" * 7900 + b"\r\n\r\n"
        self.assertEqual(self.status_of(request * 3), 200)

    def test_endless_header(self):
        """A client that never stops sending is answered and let go."""
        with self.server.connect() as connection:
            try:
                connection.sendall(b"GET /plain HTTP/1.1\r\n")
                for _ in range(2000):
                    connection.sendall(b"X: " + b"b" * 1000 + b"\r\n")
            except (BrokenPipeError, ConnectionResetError):
                pass

    def test_long_target(self):
        self.refused(b"GET /" + b"a" * 2000 + b" HTTP/1.1\r\nHost: t\r\n\r\n", 414)

    def test_large_body(self):
        self.refused(b"POST /plain HTTP/1.1\r\nHost: t\r\nContent-Length: 65537\r\n\r\n" + b"x" * 1000, 413)
        self.refused(b"POST /plain HTTP/1.1\r\nHost: t\r\nTransfer-Encoding: chunked\r\n\r\n"
                     + (b"4000\r\n" + b"x" * 0x4000 + b"\r\n") * 6, 413)

    def test_bad_length(self):
        for length in (b"abc", b"-1", b"1e3", b"99999999999999999999999"):
            self.refused(b"POST /plain HTTP/1.1\r\nHost: t\r\nContent-Length: " + length + b"\r\n\r\n", 400)
        self.refused(b"POST /plain HTTP/1.1\r\nHost: t\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n", 400)
        self.refused(b"POST /plain HTTP/1.1\r\nHost: t\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n", 400)

    def test_version(self):
        self.refused(b"GET /plain HTTP/2.0\r\nHost: t\r\n\r\n", 505)

    def test_half_request_then_close(self):
        for request in (b"G", b"GET /pl", b"GET /plain HTTP/1.1\r\nHost:", b"POST /plain HTTP/1.1\r\nContent-Length: 9\r\n\r\nabc"):
            self.assertEqual(self.raw(request), b"")

    def test_nothing_then_close(self):
        for _ in range(20):
            self.assertEqual(self.raw(b""), b"")

    def test_reset(self):
        """Clients that vanish with a reset, in the middle of everything."""
        for path in (b"/plain", b"/sleep?ms=20", b"/compute", b"/digest"):
            for _ in range(5):
                connection = self.server.connect()
                connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
                connection.sendall(GET % path * 3)
                connection.close()

    def test_half_request_is_given_up(self):
        """408 after ten seconds; a connection without a begun request may stay."""
        with self.server.connect() as half, self.server.connect() as idle:
            half.sendall(b"GET /plain HT")
            answer = demo.receive_all(half)
            self.assertTrue(answer.startswith(b"HTTP/1.1 408 "), answer[:100])
            idle.sendall(GET % b"/plain")
            self.assertEqual(demo.receive_answer(idle)[1], b"hello from weft\n")


class Load(ServerCase):
    def test_many_clients(self):
        failures = []

        def client(path, status):
            try:
                for _ in range(10):
                    got = self.get(path)[0]
                    if got != status:
                        failures.append((path, got))
            except Exception as error:  # a thread's exception would be lost
                failures.append((path, repr(error)))

        kinds = [("/plain", 200), ("/compute", 200), ("/sleep?ms=2", 200), ("/digest", 200), ("/x", 404)]
        threads = [threading.Thread(target=client, args=kinds[i % len(kinds)]) for i in range(40)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(demo.LIMIT_S)
        self.assertEqual(failures, [])

    def test_hundreds_of_connections(self):
        connections = [self.server.connect() for _ in range(300)]
        for connection in connections:
            connection.sendall(GET % b"/plain")
        for connection in connections:
            self.assertEqual(demo.receive_answer(connection)[1], b"hello from weft\n")
            connection.close()

    def test_curl(self):
        self.assertTrue(shutil.which("curl"), "curl is not installed (Debian: curl)")
        url = f"http://127.0.0.1:{self.server.port}"
        done = subprocess.run(["curl", "-sS", "--fail", "--max-time", "60", url + "/plain", url + "/compute", url + "/sleep",
                               url + "/digest"], capture_output=True, text=True, timeout=90)
        self.assertEqual((done.returncode, done.stderr), (0, ""))
        self.assertEqual([line.split()[0] for line in done.stdout.splitlines()], ["hello", "6542", "slept", "sha256"])
        done = subprocess.run(["curl", "-sS", "--max-time", "60", "-w", "%{http_code}", "-d", "a=b", url + "/plain"],
                              capture_output=True, text=True, timeout=90)
        self.assertTrue(done.stdout.endswith("405"), done.stdout)
        done = subprocess.run(["curl", "-sS", "--max-time", "60", "-I", url + "/plain"], capture_output=True, text=True,
                              timeout=90)
        self.assertIn("200 OK", done.stdout)

    def test_wrk(self):
        self.assertTrue(shutil.which("wrk"), "wrk is not installed (Debian: wrk)")
        for path in ("plain", "compute", "sleep"):
            done = subprocess.run(["wrk", "-t1", "-c16", "-d1s", f"http://127.0.0.1:{self.server.port}/{path}"],
                                  capture_output=True, text=True, timeout=90)
            self.assertEqual(done.returncode, 0, done.stderr)
            self.assertGreater(int(re.search(r"(\d+) requests in", done.stdout).group(1)), 0)
            self.assertNotIn("Non-2xx", done.stdout)
            # wrk tears its connections down at the end; anything but that is an error
            self.assertNotRegex(done.stdout, r"Socket errors: connect [1-9]|write [1-9]|timeout [1-9]")


class Ending(unittest.TestCase):
    def test_ended_by_signal_while_busy(self):
        for workers in ("1", "2", "4"):
            for number in (signal.SIGINT, signal.SIGTERM):
                with self.subTest(workers=workers, signal=number):
                    server = demo.Server("--workers", workers)
                    idle, sleeping, computing, half = (server.connect() for _ in range(4))
                    sleeping.sendall(GET % b"/sleep?ms=1000" * 100)
                    computing.sendall(GET % b"/compute" * 100)
                    half.sendall(b"GET /pl")
                    idle.sendall(GET % b"/plain")
                    demo.receive_answer(idle)
                    status, out, err = server.end(number)
                    self.assertEqual((status, err), (0, ""))
                    self.assertIn("ended", out)
                    self.assertEqual(idle.recv(10), b"")
                    for connection in (idle, sleeping, computing, half):
                        connection.close()

    def test_port_taken(self):
        server = demo.Server()
        second = subprocess.run([*demo.PROGRAM, "--serve", str(server.port)], capture_output=True, text=True,
                                timeout=demo.LIMIT_S)
        self.assertEqual(second.returncode, 1)
        self.assertRegex(second.stderr, "(?i)cannot serve.*address already in use")
        self.assertEqual(server.end()[0], 0)

    def test_wrong_arguments(self):
        for arguments in (["--serve"], ["--serve", "x"], ["--serve", "70000"], ["--serve", "-1"], ["--workers", "0"],
                          ["--workers", "many"], ["--seconds", "0"], ["--bogus"], ["plain"], ["--client"],
                          ["--client", "1"], ["--client", "x", "y"]):
            with self.subTest(arguments=arguments):
                done = subprocess.run([*demo.PROGRAM, *arguments], capture_output=True, text=True, timeout=demo.LIMIT_S)
                self.assertEqual(done.returncode, 2)
                self.assertNotEqual(done.stderr, "")

    def test_help(self):
        done = subprocess.run([*demo.PROGRAM, "--help"], capture_output=True, text=True, timeout=demo.LIMIT_S)
        self.assertEqual(done.returncode, 0)
        self.assertIn("--serve", done.stdout)


if __name__ == "__main__":
    unittest.main(verbosity=2)
