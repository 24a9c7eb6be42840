/* SPDX-License-Identifier: MIT */
/*
 * Folders and small files below an open folder.
 */
#include "plat/folder.h"

#include <errno.h>
#include <sys/stat.h>

#include "plat/proc.h"
#include "tap.h"

static char base_name[] = "/tmp/partyline-u-XXXXXX";
static int base;

static void
how_folders_open(void)
{
	struct stat now;
	int fd, again;

	test("a folder is made once and opened again");
	fd = folder_open(base, "one", 0711, NULL);
	ok(fd > 2);
	ok(folder_is_empty(fd));
	ok(fstat(fd, &now) == 0 && (now.st_mode & 07777) == 0711);
	ok(fcntl(fd, F_GETFD) == FD_CLOEXEC);
	again = folder_open(base, "one", 0700, NULL);
	ok(fstat(again, &now) == 0 && (now.st_mode & 07777) == 0700);
	close(again);
	close(fd);

	test("a link where a folder should be is refused");
	ok(symlinkat("one", base, "link") == 0);
	ok(folder_open(base, "link", 0700, NULL) < 0);
	is(errno, ENOTDIR);
}

static void
how_files_are_kept(void)
{
	struct buf content;

	buf_init(&content, BUF_NO_LIMIT);
	test("a file is read as it was written, and only by its owner");
	ok(file_write(base, "file", TEXT("one\n")));
	ok(file_write(base, "file", TEXT("two\n")));
	ok(file_read(base, "file", &content));
	is_text(buf_text(&content), "two\n");
	ok(faccessat(base, "file.new", F_OK, 0) != 0);
	buf_clear(&content);

	test("a missing file and a link are no file");
	ok(!file_read(base, "missing", &content));
	is(errno, ENOENT);
	ok(symlinkat("file", base, "link2") == 0);
	ok(!file_read(base, "link2", &content));
	is(errno, ELOOP);

	test("what cannot be written leaves the old");
	ok(mkdirat(base, "file.new", 0700) == 0);
	ok(!file_write(base, "file", TEXT("three\n")));
	buf_clear(&content);
	ok(file_read(base, "file", &content));
	is_text(buf_text(&content), "two\n");
	buf_fini(&content);
}

static void
how_folders_go(void)
{
	int fd = folder_open(base, "tree", 0700, NULL), low;

	test("a folder goes with all that is in it, but not what it links to");
	low = folder_open(fd, "low", 0700, NULL);
	ok(file_write(low, "file", TEXT("x")));
	ok(symlinkat("../../one", low, "link") == 0);
	ok(symlinkat("/", fd, "root") == 0);
	ok(!folder_is_empty(fd));
	close(low);
	close(fd);
	ok(folder_remove(base, "tree"));
	ok(faccessat(base, "tree", F_OK, 0) != 0);
	ok(faccessat(base, "one", F_OK, 0) == 0);
	ok(folder_remove(base, "tree"));
}

int
main(void)
{
	if (mkdtemp(base_name) == NULL)
		return (1);
	base = open(base_name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	how_folders_open();
	how_files_are_kept();
	how_folders_go();
	test("all of it goes");
	ok(folder_remove(AT_FDCWD, base_name));
	close(base);
	return (done());
}
