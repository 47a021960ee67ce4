/* Addresses: what parses without a name service, and how asyncio would print it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/alloc.h"
#include "io/addresses.h"

static void check(const char *host, int port, const char *text) {
  weft__address_t address;
  char words[WEFT__ADDRESS_TEXT];
  assert_true(weft__address_parse(host, port, &address));
  assert_string_equal(weft__address_text(&address, words), text);
  assert_int_equal(weft__address_port(&address), port);
  weft__address_set_port(&address, 65535);
  assert_int_equal(weft__address_port(&address), 65535);
}

static void numbers_are_addresses(void **state) {
  (void)state;
  check("127.0.0.1", 80, "('127.0.0.1', 80)");
  check("255.255.255.255", 0, "('255.255.255.255', 0)");
  check("::1", 443, "('::1', 443, 0, 0)");
  check("2001:0db8::0001", 65535, "('2001:db8::1', 65535, 0, 0)");
  check("::ffff:1.2.3.4", 1, "('::ffff:1.2.3.4', 1, 0, 0)");
  check("fe80::1%lo", 1, "('fe80::1', 1, 0, 1)");
  check("fe80::1%7", 1, "('fe80::1', 1, 0, 7)");
}

static void everything_else_is_a_name(void **state) {
  (void)state;
  const char *names[] = {"",        "localhost", "127.1", "1.2.3.4.5",   "256.1.1.1", "1.2.3.4 ", "0x7f.1",    "::g",
                         "1::2::3", ":1",        "::1%",  "::1%nothere", "::1%-1",    "[::1]",    "1.2.3.4%lo"};
  weft__address_t address;
  for (size_t i = 0; i < sizeof names / sizeof names[0]; i++)
    if (weft__address_parse(names[i], 1, &address)) fail_msg("'%s' was taken for an address", names[i]);
  char longest[300];
  memset(longest, '1', sizeof longest - 1);
  longest[sizeof longest - 1] = '\0';
  assert_false(weft__address_parse(longest, 1, &address));
}

static void every_interface_is_both_families(void **state) {
  (void)state;
  char words[WEFT__ADDRESS_TEXT];
  weft__addresses_t *any = weft__addresses_any(7);
  assert_int_equal(any->count, 2);
  assert_string_equal(weft__address_text(&any->list[0], words), "('::', 7, 0, 0)");
  assert_string_equal(weft__address_text(&any->list[1], words), "('0.0.0.0', 7)");
  weft__addresses_free(any);
  weft__addresses_free(NULL);
  weft__alloc_fail_after(1);
  assert_null(weft__addresses_any(7));
  weft__alloc_fail_after(-1);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(numbers_are_addresses),
      cmocka_unit_test(everything_else_is_a_name),
      cmocka_unit_test(every_interface_is_both_families),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
