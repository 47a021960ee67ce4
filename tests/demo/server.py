"""The demo's server as the tests see it: a process, started on a free port, ended by SIGINT."""
import os
import pathlib
import re
import shlex
import signal
import socket
import subprocess
import sys
import time

LIMIT_S = 60  # for anything that should come at once: no test asserts a short time


def program():
    """WEFT_DEMO, or the first argument that is an executable file."""
    named = os.environ.get("WEFT_DEMO")
    if len(sys.argv) > 1 and os.access(sys.argv[1], os.X_OK) and pathlib.Path(sys.argv[1]).is_file():
        named = sys.argv.pop(1)
    if not named:
        sys.exit("usage: WEFT_DEMO=PATH python3 test_....py, or python3 test_....py PATH")
    return [*shlex.split(os.environ.get("WEFT_TEST_LAUNCHER", "")), named]


PROGRAM = program()


class Server:
    def __init__(self, *arguments):
        self.process = subprocess.Popen([*PROGRAM, "--serve", "0", *arguments], stdout=subprocess.PIPE,
                                        stderr=subprocess.PIPE, text=True)
        line = self.process.stdout.readline()
        found = re.search(r"listening on http://127\.0\.0\.1:(\d+)/", line)
        if not found:
            self.process.kill()
            raise AssertionError(f"the server did not start: {line!r} {self.process.communicate()[1]!r}")
        self.port = int(found.group(1))

    def connect(self):
        connection = socket.create_connection(("127.0.0.1", self.port), timeout=LIMIT_S)
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        return connection

    def descriptors(self):
        """How many are open, but for those that workers and their spares sleep on: epolls, eventfds, timerfds."""
        folder, count = f"/proc/{self.process.pid}/fd", 0
        for name in os.listdir(folder):
            try:
                count += not os.readlink(f"{folder}/{name}").startswith("anon_inode:")
            except FileNotFoundError:  # closed meanwhile
                pass
        return count

    def settle(self, wanted, limit_s=LIMIT_S):
        """Waits until at most `wanted` descriptors are open; how many are."""
        end = time.monotonic() + limit_s
        while (left := self.descriptors()) > wanted and time.monotonic() < end:
            time.sleep(0.02)
        return left

    def end(self, number=signal.SIGINT):
        """Exit status, rest of standard output, standard error."""
        self.process.send_signal(number)
        out, err = self.process.communicate(timeout=LIMIT_S)
        return self.process.returncode, out, words(err)


def words(err):
    """What a program said on standard error, without what Valgrind remarks about itself there."""
    return re.sub(r"(?m)^--\d+-- .*\n", "", err)


def exchange(connection, request):
    """Sends bytes, says that no more will come, and returns all that is answered until the server closes."""
    connection.sendall(request)
    connection.shutdown(socket.SHUT_WR)
    return receive_all(connection)


def receive_all(connection):
    answer = b""
    while piece := connection.recv(65536):
        answer += piece
    return answer


def receive_answer(connection):
    """One answer with its body: status line, body."""
    answer = b""
    while b"\r\n\r\n" not in answer:
        piece = connection.recv(65536)
        if not piece:
            raise AssertionError(f"closed in the middle of an answer: {answer!r}")
        answer += piece
    head, body = answer.split(b"\r\n\r\n", 1)
    length = int(re.search(rb"(?i)content-length: (\d+)", head).group(1))
    while len(body) < length:
        piece = connection.recv(65536)
        if not piece:
            raise AssertionError(f"closed in the middle of a body: {answer!r}")
        body += piece
    if len(body) > length:
        raise AssertionError(f"more than one answer: {body!r}")
    return head.split(b"\r\n", 1)[0], body
