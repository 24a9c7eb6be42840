/* SPDX-License-Identifier: MIT */
/*
 * Names of migrations, and the line that a character stands in.
 */
#include "store/sql_files.h"

#include "tap.h"

int
main(void)
{
	struct sql_file file = { .name = NULL };

	test("names of migrations");
	is(sql_file_version(TEXT("0001_begin.sql")), 1);
	is(sql_file_version(TEXT("0120_more_2.sql")), 120);
	is(sql_file_version(TEXT("9999_x.sql")), 9999);
	is(sql_file_version(TEXT("0000_x.sql")), 0);
	is(sql_file_version(TEXT("001_x.sql")), 0);
	is(sql_file_version(TEXT("00001_x.sql")), 0);
	is(sql_file_version(TEXT("0001-x.sql")), 0);
	is(sql_file_version(TEXT("0001_.sql")), 0);
	is(sql_file_version(TEXT("0001_X.sql")), 0);
	is(sql_file_version(TEXT("+001_x.sql")), 0);
	is(sql_file_version(TEXT("0001_x.sql~")), 0);
	is(sql_file_version(TEXT("")), 0);

	test("lines are counted in characters, not in bytes");
	buf_init(&file.content, BUF_NO_LIMIT);
	buf_add(&file.content, TEXT("ab\n\xc3\xa4\xc3\xb6\nx"));
	is(sql_file_line(&file, 1), 1);
	is(sql_file_line(&file, 3), 1);
	is(sql_file_line(&file, 4), 2);
	is(sql_file_line(&file, 5), 2);
	is(sql_file_line(&file, 7), 3);
	is(sql_file_line(&file, 999), 3);
	buf_fini(&file.content);
	return (done());
}
