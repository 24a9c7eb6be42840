/* SPDX-License-Identifier: MIT */
/*
 * Three bytes, four letters.
 */
#include "base/base64.h"

#include "base/must.h"

#define NO_LETTER 64

static const char standard[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
    "abcdefghijklmnopqrstuvwxyz0123456789+/";
static const char url[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
    "abcdefghijklmnopqrstuvwxyz0123456789-_";

struct values {
	bool	 is_made;
	unsigned char of[256];
};

static const unsigned char *
values_of(struct values *values, const char *letters)
{
	if (!values->is_made) {
		memset(values->of, NO_LETTER, sizeof values->of);
		for (unsigned i = 0; i < 64; i++)
			values->of[(unsigned char)letters[i]] =
			    (unsigned char)i;
		values->is_made = true;
	}
	return (values->of);
}

static void
write_group(const unsigned char in[3], const char *letters, char out[4])
{
	out[0] = letters[in[0] >> 2];
	out[1] = letters[(in[0] & 3) << 4 | in[1] >> 4];
	out[2] = letters[(in[1] & 15) << 2 | in[2] >> 6];
	out[3] = letters[in[2] & 63];
}

/* false: one is no letter. */
static bool
read_group(const char in[4], const unsigned char *values,
    unsigned char out[3])
{
	unsigned v[4], all = 0;

	for (unsigned i = 0; i < 4; i++) {
		v[i] = values[(unsigned char)in[i]];
		all |= v[i];
	}
	out[0] = (unsigned char)(v[0] << 2 | v[1] >> 4);
	out[1] = (unsigned char)(v[1] << 4 | v[2] >> 2);
	out[2] = (unsigned char)(v[2] << 6 | v[3]);
	return ((all & NO_LETTER) == 0);
}

void
base64_write(text plain, char *out)
{
	const unsigned char *in = (const unsigned char *)plain.at;
	unsigned char last[3] = { 0 };
	size_t left = plain.len;

	for (; left >= 3; left -= 3, in += 3, out += 4)
		write_group(in, standard, out);
	if (left == 0)
		return;
	memcpy(last, in, left);
	write_group(last, standard, out);
	out[3] = '=';
	if (left == 1)
		out[2] = '=';
}

/* The last group, with its padding. */
static bool
read_last(const char in[4], const unsigned char *values, char *out,
    size_t *len_out)
{
	char full[4] = { in[0], in[1], in[2], in[3] };
	unsigned char bytes[3];
	size_t len = 3;

	if (in[3] == '=') {
		full[3] = standard[0];
		len = 2;
		if (in[2] == '=') {
			full[2] = standard[0];
			len = 1;
		}
	}
	if (!read_group(full, values, bytes))
		return (false);
	for (size_t i = len; i < 3; i++)
		if (bytes[i] != 0)
			return (false);
	memcpy(out, bytes, len);
	*len_out += len;
	return (true);
}

bool
base64_read(text coded, char *out, size_t *len_out)
{
	static struct values known;
	const unsigned char *values = values_of(&known, standard);
	const char *in = coded.at;

	*len_out = 0;
	if (coded.len % 4 != 0)
		return (false);
	if (coded.len == 0)
		return (true);
	for (; in + 4 < coded.at + coded.len; in += 4, *len_out += 3)
		if (!read_group(in, values, (unsigned char *)out + *len_out))
			return (false);
	return (read_last(in, values, out + *len_out, len_out));
}

void
base64_write_url(text plain, char *out)
{
	must(plain.len % 3 == 0);
	for (size_t i = 0; i < plain.len; i += 3, out += 4)
		write_group((const unsigned char *)plain.at + i, url, out);
}

bool
base64_read_url(text coded, char *out)
{
	static struct values known;
	const unsigned char *values = values_of(&known, url);

	must(coded.len % 4 == 0);
	for (size_t i = 0; i < coded.len; i += 4, out += 3)
		if (!read_group(coded.at + i, values, (unsigned char *)out))
			return (false);
	return (true);
}
