/* SPDX-License-Identifier: MIT */
/*
 * Showing a configuration: as a file, as what was changed, as JSON.
 */
#include "base/conf_kind.h"
#include "base/json_out.h"

/* Quotes are for what would not read back as itself. */
static bool
needs_quotes(text value)
{
	if (value.len == 0 || value.at[0] == '"' || value.at[0] == '#' ||
	    text_trim(value).len != value.len || text_has(value, '\n'))
		return (true);
	for (size_t i = 1; i < value.len; i++)
		if (value.at[i] == '#' && (value.at[i - 1] == ' ' ||
		    value.at[i - 1] == '\t'))
			return (true);
	return (false);
}

static void
add_value(text value, struct buf *out)
{
	if (!needs_quotes(value)) {
		buf_add(out, value);
		return;
	}
	buf_add_char(out, '"');
	for (size_t i = 0; i < value.len; i++)
		switch (value.at[i]) {
		case '"':
			buf_add_string(out, "\\\"");
			break;
		case '\\':
			buf_add_string(out, "\\\\");
			break;
		case '\n':
			buf_add_string(out, "\\n");
			break;
		case '\t':
			buf_add_string(out, "\\t");
			break;
		default:
			buf_add_char(out, value.at[i]);
			break;
		}
	buf_add_char(out, '"');
}

static void
print_option(const struct conf *conf, enum option option, struct buf *out)
{
	const struct option_row *row = &option_rows[option];
	struct buf masked;

	buf_init(&masked, BUF_NO_LIMIT);
	conf_kind_mask(row, text_of(conf->written[option]), &masked);
	buf_printf(out, "%s = ", row->name);
	add_value(buf_text(&masked), out);
	buf_add_char(out, '\n');
	buf_fini(&masked);
}

void
conf_print(const struct conf *conf, struct buf *out)
{
	for (enum option i = 0; i < OPTIONS; i++)
		print_option(conf, i, out);
}

void
conf_print_diff(const struct conf *conf, struct buf *out)
{
	for (enum option i = 0; i < OPTIONS; i++)
		if (!conf_is_default(conf, i)) {
			buf_printf(out, "# from %s\n", conf->origin[i]);
			print_option(conf, i, out);
		}
}

static void
json_value(struct json_out *json, const struct conf *conf,
    enum option option)
{
	const struct option_row *row = &option_rows[option];
	struct buf masked;

	switch (row->kind) {
	case CONF_flag:
		json_bool(json, conf_number(conf, option) != 0);
		return;
	case CONF_count:
	case CONF_bytes:
	case CONF_span:
		json_int(json, conf_number(conf, option));
		return;
	default:
		buf_init(&masked, BUF_NO_LIMIT);
		conf_kind_mask(row, text_of(conf->written[option]), &masked);
		json_text(json, buf_text(&masked));
		buf_fini(&masked);
		return;
	}
}

void
conf_print_json(const struct conf *conf, bool only_diff, struct buf *out)
{
	struct json_out json;

	json_out_init(&json, out);
	json_object_begin(&json);
	for (enum option i = 0; i < OPTIONS; i++) {
		if (only_diff && conf_is_default(conf, i))
			continue;
		json_key(&json, option_rows[i].name);
		json_object_begin(&json);
		json_key(&json, "value");
		json_value(&json, conf, i);
		json_key(&json, "origin");
		json_text_of(&json, conf->origin[i]);
		json_key(&json, "is_default");
		json_bool(&json, conf_is_default(conf, i));
		json_object_end(&json);
	}
	json_object_end(&json);
	buf_add_char(out, '\n');
}
