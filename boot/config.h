/* SPDX-License-Identifier: BSD-2-Clause
 * The words that configure a run, from \intack\intack.cfg and from the load options.
 * Knows nothing of files, nor of what the words do. */
#pragma once

#include "core/irq.h"

#define CONFIG_NAME_SIZE 32
#define CONFIG_GLOB_SIZE 128
#define CONFIG_PATH_SIZE 256
#define CONFIG_CMDLINE_SIZE 1024
#define CONFIG_MODULES 8
#define CONFIG_TEXT_SIZE 8192 /* of the file, and of the load options */
#define CONFIG_ERROR_SIZE 256

#define CONFIG_MEM_DEFAULT 64
#define CONFIG_MEM_MIN 4
#define CONFIG_MEM_MAX 3072 /* below the guest's device hole */
#define CONFIG_TIMEOUT_DEFAULT 300
#define CONFIG_TIMEOUT_MAX 86400
#define CONFIG_REPEAT_MAX 1000000
#define CONFIG_EACH_DEFAULT 100
#define CONFIG_EACH_MAX 60000

struct config_module {
	char path[CONFIG_PATH_SIZE];
	char args[CONFIG_PATH_SIZE];
};

/* The names "off" and "on" are in this order. */
enum config_vid { CONFIG_VID_OFF, CONFIG_VID_ON, CONFIG_VID_NOT_GIVEN };

struct config {
	enum irq_rule rule;
	enum irqchip_mode irqchip;
	enum config_vid vid;
	bool trace;
	bool testdev;
	bool poweroff;
	char l0[CONFIG_NAME_SIZE];           /* "" if not given */
	char only[CONFIG_GLOB_SIZE];         /* "" for all */
	char guest[CONFIG_PATH_SIZE];        /* "" for the built-in one */
	char cmdline[CONFIG_CMDLINE_SIZE];
	struct config_module module[CONFIG_MODULES];
	uint32_t modules;
	uint64_t seed;
	uint32_t mem;                        /* MiB */
	uint32_t timeout;                    /* s */
	uint32_t first;                      /* KTAP number to begin with, or guest of a series; 0: not given */
	uint32_t repeat;                     /* the last guest of a series; 0: there is none */
	uint32_t each;                       /* ms that a guest of a series has */
};

enum config_source {
	CONFIG_FILE,         /* '#' begins a comment */
	CONFIG_LOAD_OPTIONS, /* may begin with the image's own name; no comments */
};

void config_init(struct config *c);

/* Words over what c holds already: parse the file first, then the load options. The modules of one source replace those
 * of the one before. Returns 0, or E_INVAL with a text that names the word in error. */
int config_parse(struct config *c, enum config_source source, const char *text, char error[CONFIG_ERROR_SIZE]);

/* Decides vid where no word has: on where the CPU has virtual-interrupt delivery and there is a LAPIC for it to serve. */
void config_choose_vid(struct config *c, bool cpu_has_vid);

/* Bytes of a file or of load options to NUL-terminated text in out[CONFIG_TEXT_SIZE].
 * E_INVAL: not text. E_NOMEM: too long. */
/* A file: 8-bit text, or UCS-2 with a byte order mark as the UEFI shell's editor writes it. */
int config_text_from_file(const uint8_t *data, size_t size, char *out);
/* Load options are whatever the one who starts the image has put there: the shell gives its command line in UCS-2, a
 * boot manager nothing at all or the binary optional data of its boot entry. Text means: an even size, and up to the
 * first NUL or the end only printable ASCII and blanks, one UCS-2 unit each. All else is not text and not ours. */
int config_text_from_load_options(const uint8_t *data, size_t size, char *out);

const char *config_rule_name(enum irq_rule rule);
const char *config_irqchip_name(enum irqchip_mode mode);
const char *config_vid_name(enum config_vid vid);
/* The command line of Intack's own suite (guest_abi.h): the words that it shares with us, vid decided. Returns the length,
 * as fmt() does. */
size_t config_suite_cmdline(const struct config *c, char *buf, size_t size);
