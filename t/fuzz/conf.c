/* SPDX-License-Identifier: MIT */
/*
 * The configuration file. Whatever is read, what is printed reads back
 * without a problem and prints the same; and no secret is printed.
 */
#include <stdint.h>

#include "base/conf.h"
#include "base/must.h"

int	LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct conf *conf = conf_create(), *again = conf_create();
	struct buf problems, first, second;
	bool is_good, was_read;

	buf_init(&problems, BUF_NO_LIMIT);
	buf_init(&first, BUF_NO_LIMIT);
	buf_init(&second, BUF_NO_LIMIT);
	is_good = conf_read_text(conf, text_from((const char *)data, size),
	    "f", &problems);
	must(is_good == (problems.len == 0));
	must(text_is_utf8(buf_text(&problems)));
	buf_clear(&problems);
	conf_print(conf, &first);
	was_read = conf_read_text(again, buf_text(&first), "f", &problems);
	must(was_read && problems.len == 0);
	conf_print(again, &second);
	must(text_is(buf_text(&first), buf_text(&second)));
	must(conf->admin_key[0] == '\0' || again->admin_key[0] == '\0');
	must(conf->jwt_secret[0] == '\0' || again->jwt_secret[0] == '\0');
	conf_check(conf, &problems);
	buf_clear(&first);
	conf_print_diff(conf, &first);
	conf_print_json(conf, true, &first);
	must(text_is_utf8(buf_text(&first)));
	conf_destroy(&conf);
	conf_destroy(&again);
	buf_fini(&problems);
	buf_fini(&first);
	buf_fini(&second);
	return (0);
}
