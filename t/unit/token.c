/* SPDX-License-Identifier: MIT */
/*
 * core/token: what we make we read; every record of t/lib/crafted-tokens
 * comes to the verdict that it says; no sign of a token can be changed.
 */
#include "core/token.h"

#include <openssl/evp.h>
#include <openssl/hmac.h>

#include "tap.h"

#define NOW 1800000000LL

static const struct token_key keys[] = {
	{ TEXT("one"), TEXT("0123456789abcdef0123456789abcdef") },
	{ TEXT("two"), TEXT("the second of two keys, long enough") },
};

/* A record, and what its fields are where it does not say. */
struct crafted {
	char	name[128];
	text	says, header, payload, signed_payload, sign, shape;
};

static const struct crafted plain = {
	.says = TEXT("GOOD"),
	.header = TEXT("{\"alg\":\"HS256\",\"typ\":\"JWT\",\"kid\":\"KID\"}"),
	.payload = TEXT("{\"role\":\"admin\",\"name\":\"Ann\",\"tenant\":1,"
	    "\"timestamp\":NOW000,\"iat\":NOW,\"exp\":NOW+3600,"
	    "\"jti\":\"crafted\"}"),
	.sign = TEXT("HS256 one"),
	.shape = TEXT("{h}.{p}.{s}"),
};

static const struct {
	text			says;
	enum token_verdict	verdict;
} verdicts[] = {
#define VERDICT(name) { TEXT(#name), TOKEN_##name }
	VERDICT(GOOD), VERDICT(MALFORMED), VERDICT(WRONG_ALGORITHM),
	VERDICT(UNKNOWN_KEY), VERDICT(BAD_SIGNATURE), VERDICT(CLAIM_MISSING),
	VERDICT(CLAIM_INVALID), VERDICT(NOT_YET), VERDICT(EXPIRED),
};

/* Making them. */

static bool
take(text *rest, text word)
{
	if (!text_begins(*rest, word))
		return (false);
	*rest = text_from(rest->at + word.len, rest->len - word.len);
	return (true);
}

static int64_t
take_number(text *rest)
{
	int64_t number = 0;

	while (rest->len > 0 && rest->at[0] >= '0' && rest->at[0] <= '9') {
		number = number * 10 + rest->at[0] - '0';
		*rest = text_from(rest->at + 1, rest->len - 1);
	}
	return (number);
}

static void	fill(text template, struct buf *out);

/* <x*n>, where it is that. */
static bool
take_repeat(text *rest, struct buf *out)
{
	text inner, times, again, behind;

	if (rest->len == 0 || rest->at[0] != '<' ||
	    !text_cut(text_from(rest->at + 1, rest->len - 1), '>', &inner,
	    &behind) || !text_cut(inner, '*', &again, &times))
		return (false);
	for (int64_t n = take_number(&times); n > 0; n--)
		fill(again, out);
	*rest = behind;
	return (true);
}

static unsigned
digit(char c)
{
	return ((unsigned)(c <= '9' ? c - '0' : c - 'a' + 10));
}

static void
fill(text rest, struct buf *out)
{
	while (rest.len > 0) {
		if (take_repeat(&rest, out))
			continue;
		if (take(&rest, TEXT("KID2")))
			buf_add(out, TEXT("two"));
		else if (take(&rest, TEXT("KID")))
			buf_add(out, TEXT("one"));
		else if (take(&rest, TEXT("LATER")))
			buf_add_int(out, NOW + 600);
		else if (take(&rest, TEXT("NOW+")))
			buf_add_int(out, NOW + take_number(&rest));
		else if (take(&rest, TEXT("NOW-")))
			buf_add_int(out, NOW - take_number(&rest));
		else if (take(&rest, TEXT("NOW")))
			buf_add_int(out, NOW);
		else if (rest.len >= 4 && take(&rest, TEXT("\\x"))) {
			buf_add_char(out, (char)(digit(rest.at[0]) << 4 |
			    digit(rest.at[1])));
			rest = text_from(rest.at + 2, rest.len - 2);
		} else {
			buf_add_char(out, rest.at[0]);
			rest = text_from(rest.at + 1, rest.len - 1);
		}
	}
}

static void
add_base64url(text bytes, struct buf *out)
{
	unsigned char *coded = malloc(bytes.len * 2 + 8);
	int len = EVP_EncodeBlock(coded, (const unsigned char *)bytes.at,
	    (int)bytes.len);

	for (int i = 0; i < len && coded[i] != '='; i++)
		buf_add_char(out, coded[i] == '+' ? '-' :
		    coded[i] == '/' ? '_' : (char)coded[i]);
	free(coded);
}

/* {h}, {p}, {P} and {s} of the shape. */
static void
add_shape(const struct crafted *row, text shape, text payload, text signature,
    struct buf *out)
{
	struct buf part;

	buf_init(&part, BUF_NO_LIMIT);
	while (shape.len > 0) {
		if (take(&shape, TEXT("{h}"))) {
			fill(row->header, &part);
			add_base64url(buf_text(&part), out);
		} else if (take(&shape, TEXT("{p}"))) {
			fill(payload, &part);
			add_base64url(buf_text(&part), out);
		} else if (take(&shape, TEXT("{P}"))) {
			size_t begin = out->len;

			fill(payload, &part);
			add_base64url(buf_text(&part), out);
			for (size_t i = begin; i < out->len; i++)
				out->at[i] = out->at[i] == '-' ? '+' :
				    out->at[i] == '_' ? '/' : out->at[i];
		} else if (take(&shape, TEXT("{s}"))) {
			buf_add(out, signature);
		} else {
			text sign = text_from(shape.at, 1);

			if (shape.at[0] == '\\')
				sign.len = 4;
			fill(sign, out);
			shape = text_from(shape.at + sign.len,
			    shape.len - sign.len);
		}
		buf_clear(&part);
	}
	buf_fini(&part);
}

static void
add_signature(text how, text signed_text, struct buf *out)
{
	const EVP_MD *md = text_begins(how, TEXT("HS384")) ? EVP_sha384() :
	    text_begins(how, TEXT("HS512")) ? EVP_sha512() : EVP_sha256();
	text name, key;
	unsigned char code[EVP_MAX_MD_SIZE];
	unsigned len;
	struct buf secret;

	buf_init(&secret, BUF_NO_LIMIT);
	text_cut(how, ' ', &name, &key);
	if (take(&key, TEXT("=")))
		fill(key, &secret);
	else
		buf_add(&secret, keys[text_is(key, TEXT("two"))].secret);
	HMAC(md, secret.at != NULL ? secret.at : "", (int)secret.len,
	    (const unsigned char *)signed_text.at, signed_text.len, code,
	    &len);
	if (text_is(how, TEXT("zeros")))
		memset(code, 0, sizeof code);
	if (text_is(how, TEXT("hex"))) {
		for (unsigned i = 0; i < len; i++)
			buf_printf(out, "%02x", code[i]);
	} else
		add_base64url(text_from((char *)code, len), out);
	if (text_is(how, TEXT("cut")))
		out->len -= 3;
	else if (text_is(how, TEXT("bent")))
		out->at[0] = out->at[0] == 'A' ? 'B' : 'A';
	else if (text_is(how, TEXT("bits")))
		out->at[out->len - 1]++;
	buf_fini(&secret);
}

static void
craft(const struct crafted *row, struct buf *out)
{
	struct buf before, signature;
	text shape = TEXT("{h}.{p}");

	for (size_t i = 0; i + 3 <= row->shape.len; i++)
		if (memcmp(row->shape.at + i, "{s}", 3) == 0) {
			shape = text_from(row->shape.at, i);
			if (i > 0 && shape.at[i - 1] == '.')
				shape.len--;
			break;
		}
	buf_init(&before, BUF_NO_LIMIT);
	buf_init(&signature, BUF_NO_LIMIT);
	add_shape(row, shape, row->signed_payload.len > 0 ?
	    row->signed_payload : row->payload, TEXT(""), &before);
	add_signature(row->sign, buf_text(&before), &signature);
	add_shape(row, row->shape, row->payload, buf_text(&signature), out);
	buf_fini(&before);
	buf_fini(&signature);
}

/* Reading the records. */

static enum token_verdict
read_at(text compact, int64_t now_s, struct token *token_out)
{
	struct arena arena;
	enum token_verdict verdict;

	arena_init(&arena);
	verdict = token_read(keys, 2, compact, now_s, &arena, token_out);
	arena_fini(&arena);
	return (verdict);
}

static const char *
verdict_wanted(text says)
{
	for (size_t i = 0; i < sizeof verdicts / sizeof verdicts[0]; i++)
		if (text_is(verdicts[i].says, says))
			return (token_verdict_name(verdicts[i].verdict));
	return ("a verdict that there is");
}

static void
check_record(const struct crafted *row)
{
	struct token token;
	struct buf compact;

	if (row->name[0] == '\0')
		return;
	test(row->name);
	buf_init(&compact, BUF_NO_LIMIT);
	craft(row, &compact);
	is_text(token_verdict_name(read_at(buf_text(&compact), NOW, &token)),
	    verdict_wanted(row->says));
	buf_fini(&compact);
}

static void
take_field(struct crafted *row, text line)
{
	struct {
		text	 name;
		text	*at;
	} fields[] = {
		{ TEXT("says"), &row->says },
		{ TEXT("header"), &row->header },
		{ TEXT("payload"), &row->payload },
		{ TEXT("signed"), &row->signed_payload },
		{ TEXT("sign"), &row->sign },
		{ TEXT("shape"), &row->shape },
	};
	text name, value;

	if (!text_cut(line, ':', &name, &value) || !take(&value, TEXT(" ")))
		return;
	if (text_is(name, TEXT("name")))
		snprintf(row->name, sizeof row->name, "%.*s",
		    TEXT_ARGS(value));
	for (size_t i = 0; i < sizeof fields / sizeof fields[0]; i++)
		if (text_is(name, fields[i].name))
			*fields[i].at = value;
}

static unsigned
crafted_tokens(void)
{
	const char *source = getenv("T_SOURCE");
	static char path[2048], whole[256 * 1024];
	static struct crafted row;	/* its name is the test's */
	unsigned count = 0;
	text line, rest;
	FILE *file;

	snprintf(path, sizeof path, "%s/t/lib/crafted-tokens",
	    source != NULL ? source : ".");
	file = fopen(path, "r");
	if (file == NULL)
		return (0);
	row = plain;
	rest = text_from(whole, fread(whole, 1, sizeof whole, file));
	fclose(file);
	while (text_cut(rest, '\n', &line, &rest)) {
		if (line.len > 0 && line.at[0] != '#')
			take_field(&row, line);
		if (line.len == 0 || rest.len == 0) {
			check_record(&row);
			count += row.name[0] != '\0';
			row = plain;
		}
	}
	return (count);
}

/* What is in no record. */

static const struct token ann = { .rank = RANK_ADMIN,
    .name = TEXT("Ann \xc3\xa9 \"x\""), .tenant = 7,
    .timestamp_ms = NOW * 1000 + 123, .iat = NOW, .exp = NOW + 86400,
    .jti = TEXT("abc-123") };

static void
there_and_back(void)
{
	struct arena arena;
	struct buf buf;
	struct token token = ann;
	char id[TOKEN_ID_MADE + 1], other[TOKEN_ID_MADE + 1];

	arena_init(&arena);
	buf_init(&buf, BUF_NO_LIMIT);
	test("what is made is read");
	ok(token_make(&keys[1], &ann, &buf));
	is(token_read(keys, 2, buf_text(&buf), NOW, &arena, &token),
	    TOKEN_GOOD);
	is(token.rank, RANK_ADMIN);
	is_text(token.name, ann.name);
	is(token.tenant, 7);
	is(token.timestamp_ms, NOW * 1000 + 123);
	is(token.iat, NOW);
	is(token.exp, NOW + 86400);
	is_text(token.jti, "abc-123");
	is_text(token.kid, "two");

	test("until its second has come");
	is(read_at(buf_text(&buf), NOW + 86399, &token), TOKEN_GOOD);
	is(read_at(buf_text(&buf), NOW + 86400, &token), TOKEN_EXPIRED);
	is(read_at(buf_text(&buf), NOW - 61, &token), TOKEN_NOT_YET);

	test("a retired key's tokens are of an unknown key");
	is(token_read(keys, 1, buf_text(&buf), NOW, &arena, &token),
	    TOKEN_UNKNOWN_KEY);
	is(token_read(keys, 0, buf_text(&buf), NOW, &arena, &token),
	    TOKEN_UNKNOWN_KEY);

	test("what would be refused is not made");
	token = ann;
	token.name = TEXT("");
	ok(!token_make(&keys[0], &token, &buf));
	token = ann;
	token.rank = RANK_NONE;
	ok(!token_make(&keys[0], &token, &buf));
	token = ann;
	token.tenant = 0;
	ok(!token_make(&keys[0], &token, &buf));
	token = ann;
	token.jti = TEXT("a b");
	ok(!token_make(&keys[0], &token, &buf));
	token = ann;
	token.exp = -1;
	ok(!token_make(&keys[0], &token, &buf));

	test("an id of its own for each");
	token_make_id(id);
	token_make_id(other);
	is(strlen(id), TOKEN_ID_MADE);
	ok(strcmp(id, other) != 0);
	buf_fini(&buf);
	arena_fini(&arena);
}

/* Each sign, and each end, of a token counts. */
static void
changed(void)
{
	static const char signs[] = "AZaz09-_.=+/ ~\n\x80";
	struct buf buf;
	struct token token;
	unsigned taken = 0;

	buf_init(&buf, BUF_NO_LIMIT);
	ok(token_make(&keys[0], &ann, &buf));
	test("no sign can be changed, not even to NUL");
	for (size_t i = 0; i < buf.len; i++)
		for (size_t j = 0; j < sizeof signs; j++) {
			char was = buf.at[i];

			buf.at[i] = signs[j];
			taken += was != signs[j] && read_at(buf_text(&buf),
			    NOW, &token) == TOKEN_GOOD;
			buf.at[i] = was;
		}
	is(taken, 0);

	test("nothing can be cut off or put on");
	for (size_t len = 0; len < buf.len; len++)
		taken += read_at(text_from(buf.at, len), NOW, &token) ==
		    TOKEN_GOOD;
	for (size_t from = 1; from <= buf.len; from++)
		taken += read_at(text_from(buf.at + from, buf.len - from),
		    NOW, &token) == TOKEN_GOOD;
	is(taken, 0);
	for (size_t j = 0; j < sizeof signs; j++) {
		buf_add_char(&buf, signs[j]);
		ok(read_at(buf_text(&buf), NOW, &token) != TOKEN_GOOD);
		buf.len--;
	}
	is(read_at(buf_text(&buf), NOW, &token), TOKEN_GOOD);
	is(read_at(TEXT(""), NOW, &token), TOKEN_MALFORMED);
	is(read_at(TEXT_NONE, NOW, &token), TOKEN_MALFORMED);
	buf_fini(&buf);
}

static void
names_and_keys(void)
{
	struct token_key key = keys[0];
	char long_id[TOKEN_KEY_ID_MAX + 1];

	memset(long_id, 'x', sizeof long_id);
	test("ranks have names and names ranks");
	for (enum rank rank = RANK_VIEWER; rank < RANKS; rank++)
		is(rank_of(text_of(rank_name(rank))), rank);
	is(rank_of(TEXT("none")), RANK_NONE);
	is(rank_of(TEXT("Admin")), RANK_NONE);
	is(rank_of(TEXT("")), RANK_NONE);
	ok(RANK_NONE < RANK_VIEWER && RANK_VIEWER < RANK_BOT &&
	    RANK_BOT < RANK_ADMIN);

	test("a key has an id and a long secret");
	ok(token_key_is_fit(&key));
	key.secret.len = TOKEN_SECRET_MIN - 1;
	ok(!token_key_is_fit(&key));
	key.secret.len = TOKEN_SECRET_MIN;
	ok(token_key_is_fit(&key));
	key.id = TEXT("");
	ok(!token_key_is_fit(&key));
	key.id = TEXT("a b");
	ok(!token_key_is_fit(&key));
	key.id = text_from(long_id, TOKEN_KEY_ID_MAX);
	ok(token_key_is_fit(&key));
	key.id.len++;
	ok(!token_key_is_fit(&key));
}

int
main(void)
{
	unsigned count = crafted_tokens();

	test("all records were there");
	ok(count >= 160);
	there_and_back();
	changed();
	names_and_keys();
	return (done());
}
