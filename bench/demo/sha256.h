/* sha256.h: SHA-256 (FIPS 180-4), plain C: the honest work behind /digest. */
#ifndef WEFT_DEMO_SHA256_H
#define WEFT_DEMO_SHA256_H

#include <stddef.h>
#include <stdint.h>

enum { SHA256_BLOCK = 64, SHA256_HEX = 65 };

typedef struct sha256 {
  uint32_t state[8];
  uint64_t blocks;
} sha256_t;

void sha256_init(sha256_t *sha);
/* size must be a multiple of SHA256_BLOCK: the demo hashes whole blocks only. */
void sha256_update(sha256_t *sha, const void *data, size_t size);
/* Ends the hash; hex gets 64 digits and a terminating zero. */
void sha256_finish(sha256_t *sha, char hex[SHA256_HEX]);

#endif
