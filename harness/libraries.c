/* libraries.c - asks each library for its version at run time (jansson says only what it was compiled with). */
#include "harness/libraries.h"

#include <archive.h>
#include <jansson.h>
#include <openssl/crypto.h>
#include <sqlite3.h>
#include <stdio.h>
#include <utf8proc.h>
#include <yaml.h>
#define PCRE2_CODE_UNIT_WIDTH 8
#include <pcre2.h>

int libraries_used(struct library *out, int max)
{
	char pcre[64] = "", yaml[48];
	int major, minor, patch;
	pcre2_config(PCRE2_CONFIG_VERSION, pcre);
	yaml_get_version(&major, &minor, &patch);
	snprintf(yaml, sizeof yaml, "%d.%d.%d", major, minor, patch);
	const char *const all[][2] = {
		{ "libarchive", archive_version_string() }, { "PCRE2", pcre }, { "libyaml", yaml }, { "jansson", JANSSON_VERSION },
		{ "SQLite", sqlite3_libversion() }, { "utf8proc", utf8proc_version() }, { "libcrypto", OpenSSL_version(OPENSSL_VERSION) },
	};
	int n = (int)(sizeof all / sizeof *all);
	if (n > max)
		n = max;
	for (int i = 0; i < n; i++) {
		out[i].name = all[i][0];
		snprintf(out[i].version, sizeof out[i].version, "%s", all[i][1]);
	}
	return n;
}
