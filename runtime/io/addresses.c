/* addresses.c: see addresses.h. */
#include "io/addresses.h"

#include <arpa/inet.h>
#include <net/if.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"

static size_t bytes_of(size_t count) { return sizeof(weft__addresses_t) + count * sizeof(weft__address_t); }

weft__addresses_t *weft__addresses_new(size_t count) {
  weft__addresses_t *addresses = weft__alloc_zero(bytes_of(count));
  if (addresses != NULL) addresses->count = count;
  return addresses;
}

void weft__addresses_free(weft__addresses_t *addresses) {
  if (addresses != NULL) weft__free(addresses, bytes_of(addresses->count));
}

static void make_in(weft__address_t *out, struct in_addr host, int port) {
  memset(out, 0, sizeof *out);
  out->size = sizeof out->at.in;
  out->at.in.sin_family = AF_INET;
  out->at.in.sin_addr = host;
  out->at.in.sin_port = htons((uint16_t)port);
}

static void make_in6(weft__address_t *out, const struct in6_addr *host, unsigned scope, int port) {
  memset(out, 0, sizeof *out);
  out->size = sizeof out->at.in6;
  out->at.in6.sin6_family = AF_INET6;
  out->at.in6.sin6_addr = *host;
  out->at.in6.sin6_scope_id = scope;
  out->at.in6.sin6_port = htons((uint16_t)port);
}

/* The number of an interface, by name or already a number; 0: neither. */
static unsigned parse_scope(const char *text) {
  unsigned scope = if_nametoindex(text);
  if (scope != 0) return scope;
  char *end;
  unsigned long number = strtoul(text, &end, 10);
  return *text >= '0' && *text <= '9' && *end == '\0' && number <= UINT32_MAX ? (unsigned)number : 0;
}

bool weft__address_parse(const char *host, int port, weft__address_t *out) {
  struct in_addr in;
  if (inet_pton(AF_INET, host, &in) == 1) {
    make_in(out, in, port);
    return true;
  }
  char plain[INET6_ADDRSTRLEN];
  const char *percent = strchr(host, '%');
  size_t length = percent != NULL ? (size_t)(percent - host) : strlen(host);
  if (length >= sizeof plain) return false;
  memcpy(plain, host, length);
  plain[length] = '\0';
  struct in6_addr in6;
  if (inet_pton(AF_INET6, plain, &in6) != 1) return false;
  unsigned scope = percent != NULL ? parse_scope(percent + 1) : 0;
  if (percent != NULL && scope == 0) return false;
  make_in6(out, &in6, scope, port);
  return true;
}

weft__addresses_t *weft__addresses_any(int port) {
  weft__addresses_t *addresses = weft__addresses_new(2);
  if (addresses == NULL) return NULL;
  make_in6(&addresses->list[0], &in6addr_any, 0, port);
  make_in(&addresses->list[1], (struct in_addr){.s_addr = htonl(INADDR_ANY)}, port);
  return addresses;
}

int weft__address_port(const weft__address_t *address) {
  return ntohs(address->at.any.sa_family == AF_INET6 ? address->at.in6.sin6_port : address->at.in.sin_port);
}

void weft__address_set_port(weft__address_t *address, int port) {
  if (address->at.any.sa_family == AF_INET6)
    address->at.in6.sin6_port = htons((uint16_t)port);
  else
    address->at.in.sin_port = htons((uint16_t)port);
}

const char *weft__address_text(const weft__address_t *address, char text[WEFT__ADDRESS_TEXT]) {
  char host[INET6_ADDRSTRLEN] = "?";
  if (address->at.any.sa_family == AF_INET6) {
    inet_ntop(AF_INET6, &address->at.in6.sin6_addr, host, sizeof host);
    snprintf(text, WEFT__ADDRESS_TEXT, "('%s', %d, %u, %u)", host, weft__address_port(address),
             ntohl(address->at.in6.sin6_flowinfo), address->at.in6.sin6_scope_id);
  } else {
    inet_ntop(AF_INET, &address->at.in.sin_addr, host, sizeof host);
    snprintf(text, WEFT__ADDRESS_TEXT, "('%s', %d)", host, weft__address_port(address));
  }
  return text;
}
