# One line for each file of the library, in the order of the layers.
libpartyline_a_SOURCES += src/base/buf.c src/base/buf.h
libpartyline_a_SOURCES += src/base/conf.h
libpartyline_a_SOURCES += src/base/count.c src/base/count.h
libpartyline_a_SOURCES += src/base/fault.c src/base/fault.h
libpartyline_a_SOURCES += src/base/json_out.c src/base/json_out.h
libpartyline_a_SOURCES += src/base/log.c src/base/log.h
libpartyline_a_SOURCES += src/base/mem.c src/base/mem.h
libpartyline_a_SOURCES += src/base/must.c src/base/must.h
libpartyline_a_SOURCES += src/base/secret.c src/base/secret.h
libpartyline_a_SOURCES += src/base/stamp.c src/base/stamp.h
libpartyline_a_SOURCES += src/base/text.c src/base/text.h
libpartyline_a_SOURCES += src/plat/timer.c src/plat/timer.h
libpartyline_a_SOURCES += src/tbl/commands.h src/tbl/counters.h
libpartyline_a_SOURCES += src/tbl/errors.h src/tbl/events.h
libpartyline_a_SOURCES += src/tbl/faults.h src/tbl/operations.h
libpartyline_a_SOURCES += src/tbl/options.h
