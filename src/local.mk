# SPDX-License-Identifier: MIT
# SPDX-License-Identifier: MIT
# The program. Everything but main() is in one library, which the program,
# the unit tests and the fuzz targets link.

noinst_LIBRARIES += libpartyline.a
libpartyline_a_SOURCES =

include $(srcdir)/src/files.mk

bin_PROGRAMS += partyline
partyline_SOURCES = src/role/main.c
