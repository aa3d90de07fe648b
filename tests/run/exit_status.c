/* SPDX-License-Identifier: BSD-2-Clause
 * A function for GNU Make, $(exit-status FILE): ends Make with the status in the file, which a recipe cannot do.
 * Knows nothing of what the status means. */
#include <gnumake.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define FIFO_AUTH "--jobserver-auth=fifo:"

int plugin_is_GPL_compatible;
int exit_status_gmk_setup(void);

/* Newer Makes remove the pipe of -j themselves, but only at an end of their own. */
static void remove_jobserver(void)
{
	char *flags = gmk_expand("$(if $(filter 0,$(MAKELEVEL)),$(MAKEFLAGS))");
	char *fifo = strstr(flags, FIFO_AUTH);

	if (!fifo)
		return;
	fifo += strlen(FIFO_AUTH);
	fifo[strcspn(fifo, " ")] = '\0';
	unlink(fifo);
}

static char *exit_status(const char *name, unsigned int argc, char **argv)
{
	FILE *f = argc ? fopen(argv[0], "r") : NULL;
	int status = 0;

	(void)name;
	if (!f)
		return NULL;
	if (fscanf(f, "%d", &status) != 1)
		status = 2;
	fclose(f);
	if (!status)
		return NULL;
	remove_jobserver();
	exit(status);
}

int exit_status_gmk_setup(void)
{
	gmk_add_function("exit-status", exit_status, 1, 1, GMK_FUNC_DEFAULT);
	return 1;
}
