/* log.c - warnings and notes to stderr, one line each, never torn between threads. */
#include "kernels/base/log.h"

#include <pthread.h>
#include <stdarg.h>
#include <stdio.h>

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static enum log_level level = LOG_NOTE;
static int warnings;
static void (*hook_before)(void *), (*hook_after)(void *);
static void *hook_ctx;

void log_set_level(enum log_level l)
{
	level = l;
}

int log_warnings(void)
{
	pthread_mutex_lock(&lock);
	int n = warnings;
	pthread_mutex_unlock(&lock);
	return n;
}

void log_hook(void (*before)(void *), void (*after)(void *), void *ctx)
{
	hook_before = before;
	hook_after = after;
	hook_ctx = ctx;
}

static void line(enum log_level l, const char *prefix, const char *fmt, va_list ap)
{
	char text[2000];
	vsnprintf(text, sizeof text, fmt, ap);
	pthread_mutex_lock(&lock);
	if (l == LOG_WARN)
		warnings++;
	if (level >= l) {
		if (hook_before)
			hook_before(hook_ctx);
		fprintf(stderr, "assay: %s%s\n", prefix, text);
		if (hook_after)
			hook_after(hook_ctx);
	}
	pthread_mutex_unlock(&lock);
}

void log_warn(const char *fmt, ...)
{
	va_list ap;
	va_start(ap, fmt);
	line(LOG_WARN, "warning: ", fmt, ap);
	va_end(ap);
}

void log_note(const char *fmt, ...)
{
	va_list ap;
	va_start(ap, fmt);
	line(LOG_NOTE, "", fmt, ap);
	va_end(ap);
}
