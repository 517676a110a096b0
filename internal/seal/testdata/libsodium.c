/*
 * The other side of TestLibsodium. Reads a command a line, answers with a line.
 * Everything but the commands is standard padded base64; "-" is no bytes.
 *
 *   pair                     -> PUBLIC PRIVATE
 *   seal PUBLIC MESSAGE      -> BOX, or "refused"
 *   open PUBLIC PRIVATE BOX  -> MESSAGE, or "refused"
 *   fixed BYTES32            -> "ok"; from now on "random" bytes are these
 */
#include <sodium.h>
#include <stdio.h>
#include <string.h>

#define BYTES (64 * 1024)
#define TEXT (sodium_base64_ENCODED_LEN(BYTES, sodium_base64_VARIANT_ORIGINAL))

static unsigned char fixed_bytes[32];

static const char *fixed_name(void) { return "fixed"; }
static uint32_t fixed_uint32(void) { return 0; }
static void fixed_buf(void *buf, size_t n) {
	for (size_t i = 0; i < n; i++)
		((unsigned char *)buf)[i] = fixed_bytes[i % sizeof fixed_bytes];
}
static struct randombytes_implementation fixed = {
	.implementation_name = fixed_name,
	.random = fixed_uint32,
	.buf = fixed_buf,
};

/* decode reads the next word of the line; -1 without one, or if it is not base64. */
static long decode(unsigned char *out, size_t max) {
	const char *word = strtok(NULL, " \n");
	size_t n = 0;
	if (word == NULL)
		return -1;
	if (strcmp(word, "-") == 0)
		return 0;
	if (sodium_base642bin(out, max, word, strlen(word), NULL, &n, NULL, sodium_base64_VARIANT_ORIGINAL) != 0)
		return -1;
	return (long)n;
}

static void answer(const unsigned char *bytes, size_t n, const char *end) {
	static char text[TEXT];
	if (n == 0)
		printf("-%s", end);
	else
		printf("%s%s", sodium_bin2base64(text, sizeof text, bytes, n, sodium_base64_VARIANT_ORIGINAL), end);
}

int main(void) {
	static char line[2 * TEXT];
	static unsigned char in[BYTES], out[BYTES];
	unsigned char pub[crypto_box_PUBLICKEYBYTES], priv[crypto_box_SECRETKEYBYTES];

	while (fgets(line, sizeof line, stdin) != NULL) {
		const char *command = strtok(line, " \n");
		long n;
		/* "fixed" must come first: libsodium takes its source when it starts. */
		if (command != NULL && strcmp(command, "fixed") == 0) {
			randombytes_set_implementation(&fixed);
			if (sodium_init() < 0 || decode(fixed_bytes, sizeof fixed_bytes) != sizeof fixed_bytes)
				return 2;
			puts("ok");
			fflush(stdout);
			continue;
		}
		if (sodium_init() < 0 || command == NULL)
			return 2;
		if (strcmp(command, "pair") == 0) {
			crypto_box_keypair(pub, priv);
			answer(pub, sizeof pub, " ");
			answer(priv, sizeof priv, "\n");
		} else if (strcmp(command, "seal") == 0) {
			if (decode(pub, sizeof pub) != sizeof pub || (n = decode(in, BYTES - crypto_box_SEALBYTES)) < 0)
				return 2;
			if (crypto_box_seal(out, in, (unsigned long long)n, pub) != 0)
				puts("refused");
			else
				answer(out, (size_t)n + crypto_box_SEALBYTES, "\n");
		} else if (strcmp(command, "open") == 0) {
			if (decode(pub, sizeof pub) != sizeof pub || decode(priv, sizeof priv) != sizeof priv || (n = decode(in, BYTES)) < 0)
				return 2;
			if (crypto_box_seal_open(out, in, (unsigned long long)n, pub, priv) != 0)
				puts("refused");
			else
				answer(out, (size_t)n - crypto_box_SEALBYTES, "\n");
		} else {
			return 2;
		}
		fflush(stdout);
	}
	return 0;
}
