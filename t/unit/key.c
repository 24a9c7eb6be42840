/* SPDX-License-Identifier: MIT */
/*
 * core/key: finding and proving keys; known answers, texts that are no
 * hashes, and times that tell nothing.
 */
#include "core/key.h"

#include <time.h>

#include "tap.h"

#define SECRET TEXT("0123456789abcdef0123456789abcdef")

#define SALT "000102030405060708090a0b0c0d0e0f"
#define PROOF								\
	"00000000000000000000000000000000"				\
	"00000000000000000000000000000000"

static int64_t
cpu_us(void)
{
	struct timespec now;

	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
	return ((int64_t)now.tv_sec * 1000000 + now.tv_nsec / 1000);
}

static int64_t
cost_us(bool (*check)(text))
{
	int64_t least = INT64_MAX;

	for (int i = 0; i < 5; i++) {
		int64_t begin = cpu_us(), cost;

		check(TEXT("a key"));
		cost = cpu_us() - begin;
		least = cost < least ? cost : least;
	}
	return (least);
}

static char hash[KEY_HASH_SIZE];

static bool
check_known(text key)
{
	return (key_check(key, text_of(hash)));
}

static bool
check_broken(text key)
{
	return (key_check(key, TEXT("scrypt$broken")));
}

static bool
is_like(int64_t a, int64_t b)
{
	return (a < b * 2 && b < a * 2);
}

static void
lookups(void)
{
	static char long_key[4 * KEY_SIGNS_MAX + 1];
	char one[KEY_LOOKUP_SIZE], other[KEY_LOOKUP_SIZE];

	test("a lookup is an HMAC of tenant and key");
	key_lookup(SECRET, 7, TEXT("a key"), one);
	is_text(one, "b834b9d55f96591a02dd116883b008c5"
	    "d38bba8d73e41fd288fc6155762c4baf");

	test("another secret, tenant or key, another lookup");
	key_lookup(SECRET, 7, TEXT("a key"), other);
	is_text(one, other);
	key_lookup(TEXT("1123456789abcdef0123456789abcdef"), 7,
	    TEXT("a key"), other);
	ok(!text_is(text_of(one), text_of(other)));
	key_lookup(SECRET, 8, TEXT("a key"), other);
	ok(!text_is(text_of(one), text_of(other)));
	key_lookup(SECRET, 7, TEXT("a kez"), other);
	ok(!text_is(text_of(one), text_of(other)));
	key_lookup(SECRET, 7, TEXT("a key\0"), other);
	ok(!text_is(text_of(one), text_of(other)));

	test("tenant and key do not run into each other");
	key_lookup(SECRET, 1, TEXT("2:a"), one);
	key_lookup(SECRET, 12, TEXT("a"), other);
	ok(!text_is(text_of(one), text_of(other)));

	test("what can be a key");
	ok(key_is_fit(TEXT("a")));
	ok(!key_is_fit(TEXT("")));
	ok(!key_is_fit(TEXT("a\0")));
	ok(!key_is_fit(TEXT("a\xff")));
	long_key[sizeof long_key - 1] = 'k';
	for (unsigned i = 0; i < KEY_SIGNS_MAX; i++)
		memcpy(long_key + 4 * i, "\xf0\x9f\x8e\xb2", 4);
	ok(key_is_fit(text_from(long_key, 4 * KEY_SIGNS_MAX)));
	ok(!key_is_fit(text_from(long_key, sizeof long_key)));

	test("what cannot be one has a lookup and proves nothing");
	key_lookup(SECRET, 1, text_from(long_key, sizeof long_key), one);
	key_lookup(SECRET, 1, text_from(long_key, sizeof long_key - 1),
	    other);
	ok(!text_is(text_of(one), text_of(other)));
	key_lookup(SECRET, 1, TEXT_NONE, other);
	ok(!key_check_nobody(text_from(long_key, sizeof long_key)));
}

static void
hashes(void)
{
	char again[KEY_HASH_SIZE];

	test("a key proves itself, another does not");
	key_hash(TEXT("a key"), hash);
	ok(text_begins(text_of(hash), TEXT("scrypt$16384$8$1$")));
	is(strlen(hash), KEY_HASH_SIZE - 1);
	ok(key_check(TEXT("a key"), text_of(hash)));
	ok(!key_check(TEXT("a kez"), text_of(hash)));
	ok(!key_check(TEXT("a ke"), text_of(hash)));
	ok(!key_check(TEXT(""), text_of(hash)));

	test("each hash has a salt of its own");
	key_hash(TEXT("a key"), again);
	ok(!text_is(text_of(hash), text_of(again)));
	ok(key_check(TEXT("a key"), text_of(again)));

	test("an empty key is hashed as well, and proves itself alone");
	key_hash(TEXT(""), again);
	ok(key_check(TEXT(""), text_of(again)));
	ok(!key_check(TEXT("a"), text_of(again)));

	test("nobody has no key");
	ok(!key_check_nobody(TEXT("a key")));
	ok(!key_check_nobody(TEXT("")));
}

static void
known_answers(void)
{
	/* RFC 7914, section 12: password "pleaseletmein", "SodiumChloride". */
	static const char of_rfc[] = "scrypt$16384$8$1$"
	    "536f6469756d43686c6f72696465$"
	    "7023bdcb3afd7348461c06cd81fd38eb"
	    "fda8fbba904f8e3ea9b543f6545da1f2";

	test("RFC 7914's own example");
	ok(key_check(TEXT("pleaseletmein"), text_of(of_rfc)));
	ok(!key_check(TEXT("pleaseletmeip"), text_of(of_rfc)));

	test("other costs are read from the text");
	ok(key_check(TEXT("password"), TEXT("scrypt$1024$8$16$" SALT
	    "$e20f368ecfc124b3b6f7db47b7d7538b"
	    "95883eeab5e9d71720a2381f59086007")));

	test("up to eight times the work of today, and no more");
	ok(key_check(TEXT("password"), TEXT("scrypt$16384$8$8$" SALT
	    "$fbb50dac02bbe14744bcf2db2aba32ed"
	    "d1a967630cc2da222edbde14e150d0b1")));
	ok(!key_check(TEXT("password"), TEXT("scrypt$16384$8$9$" SALT
	    "$f585660d9264e7857f3ba27c1074cdfa"
	    "abb3e5a7f117df3d0ab127cf3550ff54")));
}

#define BAD(costs) "scrypt$" costs "$" SALT "$" PROOF

static void
bad_hashes(void)
{
	static const char *const bad[] = {
		"", "$", "$$$$$", "scrypt", "scrypt$", "scrypt$16384$8$1",
		"bcrypt$16384$8$1$" SALT "$" PROOF,
		"SCRYPT$16384$8$1$" SALT "$" PROOF,
		BAD("0$8$1"), BAD("1$8$1"), BAD("16383$8$1"),
		BAD("16384$0$1"), BAD("16384$8$0"), BAD("-16384$8$1"),
		BAD("16384$-8$1"), BAD(" 16384$8$1"), BAD("0x4000$8$1"),
		BAD("1073741824$8$1"), BAD("16384$1073741824$1"),
		BAD("16384$8$1073741824"), BAD("131072$8$1"),
		BAD("65536$8$9"), BAD("4611686018427387904$8$1"),
		BAD("9223372036854775808$8$1"), BAD("67108864$1$1"),
		BAD("2$67108864$1"), BAD("16384$8$1$"),
		"scrypt$16384$8$1$$" PROOF,
		"scrypt$16384$8$1$00010203040506$" PROOF,
		"scrypt$16384$8$1$" SALT "0$" PROOF,
		"scrypt$16384$8$1$" SALT "$",
		"scrypt$16384$8$1$" SALT "$00",
		"scrypt$16384$8$1$" SALT "$" PROOF "00",
		"scrypt$16384$8$1$" SALT "$" PROOF "$",
		"scrypt$16384$8$1$000102030405060708090a0b0c0d0e0g$"
		    PROOF,
		"scrypt$16384$8$1$000102030405060708090A0B0C0D0E0F$"
		    PROOF,
	};

	for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
		test(bad[i]);
		ok(!key_check(TEXT("pleaseletmein"), text_of(bad[i])));
	}
}

static void
times(void)
{
	int64_t good = cost_us(check_known);

	test("known, unknown and broken take the same time");
	ok(good > 1000);
	ok(is_like(good, cost_us(key_check_nobody)));
	ok(is_like(good, cost_us(check_broken)));
	printf("# %lld us a check\n", (long long)good);
}

int
main(void)
{
	lookups();
	hashes();
	known_answers();
	bad_hashes();
	times();
	return (done());
}
