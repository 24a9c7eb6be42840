/* SPDX-License-Identifier: MIT */
/*
 * Feeds a fuzz target with the files that are kept in its corpus, as a test:
 * what once broke something stays mended, without a fuzzer.
 *
 *	t/fuzz/ring.t [FOLDER]
 *
 * The folder is t/fuzz/corpus/<target> of the source tree, which T_SOURCE
 * names. The target aborts where something is wrong, and a sanitizer where
 * it looks closer; the file at hand is then the last one named.
 */
#include <dirent.h>
#include <stdint.h>

#include "base/mem.h"
#include "tap.h"

int	LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

static void
replay_file(const char *folder, const char *name)
{
	char path[4096];
	FILE *file;
	uint8_t *data;
	long len;

	test(name);
	printf("# %s\n", name);
	fflush(stdout);
	snprintf(path, sizeof path, "%s/%s", folder, name);
	file = fopen(path, "rb");
	if (!ok(file != NULL))
		return;
	ok(fseek(file, 0, SEEK_END) == 0);
	len = ftell(file);
	rewind(file);
	/* Of its exact length, so that a sanitizer sees one byte too much. */
	if (ok(len >= 0)) {
		data = malloc((size_t)len);
		ok(fread(data, 1, (size_t)len, file) == (size_t)len);
		ok(LLVMFuzzerTestOneInput(data, (size_t)len) == 0);
		free(data);
	}
	fclose(file);
}

int
main(int argc, char **argv)
{
	const char *source = getenv("T_SOURCE");
	char folder[2048];
	struct dirent **entries;
	int count, replayed = 0;

	if (argc > 1)
		snprintf(folder, sizeof folder, "%s", argv[1]);
	else
		snprintf(folder, sizeof folder, "%s/t/fuzz/corpus/%s",
		    source != NULL ? source : ".", FUZZ_NAME);
	count = scandir(folder, &entries, NULL, alphasort);
	for (int i = 0; i < count; i++) {
		if (entries[i]->d_name[0] == '.')
			continue;
		replay_file(folder, entries[i]->d_name);
		replayed++;
	}
	test("there is a corpus");
	if (!ok(replayed > 0))
		fprintf(stderr, "# no files in %s; is T_SOURCE set?\n",
		    folder);
	for (int i = 0; i < count; i++)
		free(entries[i]);
	if (count >= 0)
		free(entries);
	return (done());
}
