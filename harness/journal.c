/* journal.c - what is answered, in SQLite (WAL): key -> payload, committed in groups.
 *
 *     table answer: key BLOB (32 bytes, primary key), ask INTEGER, payload BLOB      WITHOUT ROWID
 *     PRAGMA application_id = 'assy', user_version = SCHEMA
 *
 * A payload is binary, little-endian, and opens with its version:
 *     u8 version  u8 flags(greedy)  u8 stop  u8 0  i32 ntokens  u64 bits of logprob (a double, exactly)
 *     u32 nwindows  nwindows x { i32 context, i32 predicted }  u32 bytes of text  text  u32 FNV-1a of key and all before
 * Failed answers are not kept: they are asked again. A key that is there already stays as it is (equal keys have equal
 * answers). Refused with a sentence, never repaired in silence: a file that is no SQLite database, another program's
 * database, another schema, a damaged page (PRAGMA quick_check at open when the last writer did not close), a payload that
 * does not parse. A full or read-only disk fails the put or the commit; what was committed before stays.
 *
 * Committed every 512 answers, or when the last commit is half a second old (monotonic clock; time decides only when, never what). synchronous=NORMAL in
 * WAL mode: kill -9 loses at most the open group; a power cut may lose the last groups but leaves a sound file.
 *
 * Reference: sqlite.org/wal.html, sqlite.org/pragma.html.
 */
#include "harness/journal.h"

#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>

enum { SCHEMA = 1, PAYLOAD = 1, GROUP = 512, HEAD = 28, BUSY_MS = 10000 };
#define APPLICATION 0x61737379 /* "assy" */
#define GROUP_SECONDS 0.5

struct journal {
	sqlite3 *db;
	sqlite3_stmt *get, *put, *begin, *commit;
	int open;              /* puts since the last commit */
	bool in_group;
	struct timespec since; /* the last commit */
	struct buf payload;
	char path[4096];
};

/* One sentence for what SQLite said. */
static int failed(struct journal *j, const char *what, struct err *e)
{
	int code = sqlite3_errcode(j->db) & 0xff, sys = sqlite3_system_errno(j->db);
	switch (code) {
	case SQLITE_NOTADB:
		return err_set(e, E_FORMAT, "%s: not a journal (no SQLite database)", j->path);
	case SQLITE_CORRUPT:
		return err_set(e, E_FORMAT, "%s: the journal is damaged (%s); move it away to start a new one", j->path, sqlite3_errmsg(j->db));
	case SQLITE_FULL:
		return err_set(e, E_IO, "%s: cannot %s: the disk is full", j->path, what);
	case SQLITE_READONLY:
		return err_set(e, E_IO, "%s: cannot %s: the file or its folder is read-only", j->path, what);
	case SQLITE_BUSY:
	case SQLITE_LOCKED:
		return err_set(e, E_IO, "%s: cannot %s: another process keeps it locked", j->path, what);
	default:
		if (sys)
			return err_set(e, E_IO, "%s: cannot %s: %s (%s)", j->path, what, sqlite3_errmsg(j->db), strerror(sys));
		return err_set(e, E_IO, "%s: cannot %s: %s", j->path, what, sqlite3_errmsg(j->db));
	}
}

static int exec(struct journal *j, const char *sql, const char *what, struct err *e)
{
	return sqlite3_exec(j->db, sql, NULL, NULL, NULL) == SQLITE_OK ? 0 : failed(j, what, e);
}

/* The same, again and again while another process is at it: SQLite itself does not wait where waiting could lock both up, as when
 * several turn a new file to WAL. */
static int exec_patient(struct journal *j, const char *sql, const char *what, struct err *e)
{
	const struct timespec nap = { 0, 5000000 };
	for (int ms = 0; ms < BUSY_MS && sqlite3_exec(j->db, sql, NULL, NULL, NULL) != SQLITE_OK; ms += 5) {
		int code = sqlite3_errcode(j->db) & 0xff;
		if (code != SQLITE_BUSY && code != SQLITE_LOCKED)
			return failed(j, what, e);
		nanosleep(&nap, NULL);
	}
	return sqlite3_errcode(j->db) == SQLITE_OK ? 0 : failed(j, what, e);
}

/* A PRAGMA or SELECT that gives one integer. */
static int ask_int(struct journal *j, const char *sql, sqlite3_int64 *out, struct err *e)
{
	sqlite3_stmt *s = NULL;
	int ok = sqlite3_prepare_v2(j->db, sql, -1, &s, NULL) == SQLITE_OK && sqlite3_step(s) == SQLITE_ROW;
	if (ok)
		*out = sqlite3_column_int64(s, 0);
	int r = ok ? 0 : failed(j, "read it", e);
	sqlite3_finalize(s);
	return r;
}

/* 1: sound; 0: *why says what is not; -1 */
static int sound(struct journal *j, char why[200], struct err *e)
{
	sqlite3_stmt *s = NULL;
	if (sqlite3_prepare_v2(j->db, "PRAGMA quick_check(1)", -1, &s, NULL) != SQLITE_OK || sqlite3_step(s) != SQLITE_ROW) {
		int r = failed(j, "check it", e);
		sqlite3_finalize(s);
		return r;
	}
	snprintf(why, 200, "%s", (const char *)sqlite3_column_text(s, 0));
	for (char *p = why; *p; p++)
		if ((unsigned char)*p < 32)
			*p = ' ';
	sqlite3_finalize(s);
	return strcmp(why, "ok") == 0;
}

static int check_identity(struct journal *j, struct err *e)
{
	sqlite3_int64 app = 0, version = 0, tables = 0;
	/* one transaction: another process may be creating it at this moment */
	if (exec(j, "BEGIN", "read it", e))
		return -1;
	int bad = exec_patient(j, "SELECT 1 FROM sqlite_master", "read it", e) || /* what follows reads the same moment */
		  ask_int(j, "PRAGMA application_id", &app, e) || ask_int(j, "PRAGMA user_version", &version, e) ||
		  ask_int(j, "SELECT count(*) FROM sqlite_master", &tables, e);
	sqlite3_exec(j->db, "ROLLBACK", NULL, NULL, NULL);
	if (bad)
		return -1;
	if (app == 0 && version == 0 && tables == 0)
		return 0; /* new */
	if (app != APPLICATION)
		return err_set(e, E_FORMAT, "%s: not a journal (another program's database)", j->path);
	if (version != SCHEMA)
		return err_set(e, E_FORMAT, "%s: the journal has schema %lld, this program reads schema %d", j->path, (long long)version, SCHEMA);
	return 1;
}

static int create(struct journal *j, struct err *e)
{
	char sql[400];
	snprintf(sql, sizeof sql,
		 "BEGIN IMMEDIATE; PRAGMA application_id=%d; PRAGMA user_version=%d;"
		 "CREATE TABLE IF NOT EXISTS answer(key BLOB PRIMARY KEY, ask INTEGER NOT NULL, payload BLOB NOT NULL) WITHOUT ROWID;"
		 "COMMIT",
		 APPLICATION, SCHEMA);
	return exec(j, sql, "create it", e);
}

static int prepare(struct journal *j, struct err *e)
{
	const struct {
		sqlite3_stmt **s;
		const char *sql;
	} all[] = {
		{ &j->get, "SELECT payload FROM answer WHERE key=?1 AND ask=?2" },
		{ &j->put, "INSERT INTO answer(key,ask,payload) VALUES(?1,?2,?3) ON CONFLICT(key) DO NOTHING" },
		{ &j->begin, "BEGIN IMMEDIATE" },
		{ &j->commit, "COMMIT" },
	};
	for (size_t i = 0; i < sizeof all / sizeof *all; i++)
		if (sqlite3_prepare_v3(j->db, all[i].sql, -1, SQLITE_PREPARE_PERSISTENT, all[i].s, NULL) != SQLITE_OK)
			return failed(j, "read it", e);
	return 0;
}

/* Was the last writer cut off? Then its -wal file is still there. */
static bool left_open(const char *path)
{
	char wal[4200];
	struct stat st;
	snprintf(wal, sizeof wal, "%s-wal", path);
	return stat(wal, &st) == 0 && st.st_size > 0;
}

static int set_up(struct journal *j, bool check, struct err *e)
{
	char why[200];
	sqlite3_busy_timeout(j->db, BUSY_MS);
	int known = check_identity(j, e);
	if (known < 0)
		return -1;
	if (known && check) {
		int ok = sound(j, why, e);
		if (ok < 0)
			return -1;
		if (!ok)
			return err_set(e, E_FORMAT, "%s: the journal is damaged (%s); move it away to start a new one", j->path, why);
	}
	if (exec_patient(j, "PRAGMA journal_mode=WAL; PRAGMA synchronous=NORMAL", "write to it", e))
		return -1;
	if (!known && create(j, e))
		return -1;
	/* A read-only file opens quietly: ask for the write lock now, not after an hour of work. */
	if (exec(j, "BEGIN IMMEDIATE; ROLLBACK", "write to it", e))
		return -1;
	return prepare(j, e);
}

int journal_open(struct journal **out, const char *path, struct err *e)
{
	*out = NULL;
	if (strlen(path) >= 4000)
		return err_set(e, E_IO, "the journal's path has more than 4000 bytes");
	struct journal *j = xcalloc(1, sizeof *j);
	snprintf(j->path, sizeof j->path, "%s", path);
	clock_gettime(CLOCK_MONOTONIC, &j->since);
	bool check = left_open(path);
	int code = sqlite3_open_v2(path, &j->db, SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE | SQLITE_OPEN_NOMUTEX, NULL);
	if (code != SQLITE_OK || set_up(j, check, e)) {
		if (code != SQLITE_OK)
			j->db ? failed(j, "open it", e) : err_set(e, E_MEMORY, "%s: no memory for the journal", path);
		journal_close(j, NULL);
		return -1;
	}
	*out = j;
	return 0;
}

int journal_close(struct journal *j, struct err *e)
{
	if (!j)
		return 0;
	int r = j->in_group ? journal_commit(j, e) : 0;
	sqlite3_finalize(j->get);
	sqlite3_finalize(j->put);
	sqlite3_finalize(j->begin);
	sqlite3_finalize(j->commit);
	sqlite3_close(j->db);
	buf_fini(&j->payload);
	free(j);
	return r;
}

/* ---- payload ---- */

static void add_u32(struct buf *b, uint32_t v)
{
	unsigned char c[4] = { (unsigned char)v, (unsigned char)(v >> 8), (unsigned char)(v >> 16), (unsigned char)(v >> 24) };
	buf_add(b, c, 4);
}

static uint32_t get_u32(const unsigned char *p)
{
	return (uint32_t)p[0] | (uint32_t)p[1] << 8 | (uint32_t)p[2] << 16 | (uint32_t)p[3] << 24;
}

static uint32_t fnv(uint32_t h, const void *p, size_t n)
{
	const unsigned char *c = p;
	for (size_t i = 0; i < n; i++)
		h = (h ^ c[i]) * 16777619u;
	return h;
}

static uint32_t check_of(const unsigned char *key, const void *p, size_t n)
{
	return fnv(fnv(2166136261u, key, DIGEST_BYTES), p, n);
}

static void encode(struct buf *b, const unsigned char *key, const struct resp *r)
{
	uint64_t bits;
	memcpy(&bits, &r->logprob, sizeof bits);
	unsigned char head[4] = { PAYLOAD, r->greedy, (unsigned char)r->stop, 0 };
	b->n = 0;
	buf_add(b, head, 4);
	add_u32(b, (uint32_t)r->ntokens);
	add_u32(b, (uint32_t)bits);
	add_u32(b, (uint32_t)(bits >> 32));
	add_u32(b, (uint32_t)r->nwindows);
	for (int i = 0; i < r->nwindows; i++) {
		add_u32(b, (uint32_t)r->windows[i].context);
		add_u32(b, (uint32_t)r->windows[i].predicted);
	}
	add_u32(b, (uint32_t)r->text.n);
	buf_str(b, r->text);
	add_u32(b, check_of(key, b->p, b->n));
}

static int bad_payload(struct journal *j, const unsigned char *key, struct err *e)
{
	char hex[DIGEST_HEX];
	digest_hex(key, hex);
	return err_set(e, E_FORMAT, "%s: the journal is damaged (answer %.16s... does not parse); move it away to start a new one", j->path, hex);
}

static int decode(struct resp *r, const unsigned char *key, const unsigned char *p, size_t n, struct arena *a)
{
	if (n < HEAD || p[0] != PAYLOAD || p[1] > 1 || p[2] > STOP_LENGTH || get_u32(p + n - 4) != check_of(key, p, n - 4))
		return -1;
	*r = (struct resp){ .answered = true, .greedy = p[1], .stop = (enum stop)p[2], .ntokens = (int)get_u32(p + 4) };
	uint64_t bits = get_u32(p + 8) | (uint64_t)get_u32(p + 12) << 32;
	memcpy(&r->logprob, &bits, sizeof bits);
	size_t windows = get_u32(p + 16);
	if (windows > (n - HEAD) / 8)
		return -1;
	r->nwindows = (int)windows;
	r->windows = windows ? ARENA_ARRAY(a, windows, struct window) : NULL;
	const unsigned char *q = p + 20;
	for (size_t i = 0; i < windows; i++, q += 8)
		r->windows[i] = (struct window){ (int)get_u32(q), (int)get_u32(q + 4) };
	if (get_u32(q) != n - HEAD - windows * 8 || r->ntokens < 0)
		return -1;
	r->text = arena_str(a, (const char *)q + 4, get_u32(q));
	return 0;
}

/* ---- get, put, commit ---- */

int journal_get(struct journal *j, const unsigned char key[DIGEST_BYTES], enum ask ask, struct arena *a, struct resp *out, struct err *e)
{
	sqlite3_bind_blob(j->get, 1, key, DIGEST_BYTES, SQLITE_STATIC);
	sqlite3_bind_int(j->get, 2, (int)ask);
	int r = sqlite3_step(j->get), result = 0;
	if (r == SQLITE_ROW) {
		const unsigned char *p = sqlite3_column_blob(j->get, 0);
		int n = sqlite3_column_bytes(j->get, 0);
		result = decode(out, key, p, n > 0 ? (size_t)n : 0, a) ? bad_payload(j, key, e) : 1;
	} else if (r != SQLITE_DONE) {
		result = failed(j, "read it", e);
	}
	sqlite3_reset(j->get);
	return result;
}

static double seconds_since(const struct timespec *t)
{
	struct timespec now;
	clock_gettime(CLOCK_MONOTONIC, &now);
	return (double)(now.tv_sec - t->tv_sec) + 1e-9 * (double)(now.tv_nsec - t->tv_nsec);
}

int journal_put(struct journal *j, const unsigned char key[DIGEST_BYTES], enum ask ask, const struct resp *r, struct err *e)
{
	if (!j->in_group) {
		int b = sqlite3_step(j->begin);
		sqlite3_reset(j->begin);
		if (b != SQLITE_DONE)
			return failed(j, "write to it", e);
		j->in_group = true;
	}
	encode(&j->payload, key, r);
	sqlite3_bind_blob(j->put, 1, key, DIGEST_BYTES, SQLITE_STATIC);
	sqlite3_bind_int(j->put, 2, (int)ask);
	sqlite3_bind_blob64(j->put, 3, j->payload.p, j->payload.n, SQLITE_STATIC);
	int step = sqlite3_step(j->put);
	sqlite3_reset(j->put);
	sqlite3_clear_bindings(j->put);
	if (step != SQLITE_DONE)
		return failed(j, "write to it", e);
	j->open++;
	if (j->open >= GROUP || seconds_since(&j->since) >= GROUP_SECONDS)
		return journal_commit(j, e);
	return 0;
}

int journal_commit(struct journal *j, struct err *e)
{
	if (!j->in_group)
		return 0;
	int step = sqlite3_step(j->commit), r = step == SQLITE_DONE ? 0 : failed(j, "write to it", e);
	sqlite3_reset(j->commit);
	if (r)
		sqlite3_exec(j->db, "ROLLBACK", NULL, NULL, NULL);
	clock_gettime(CLOCK_MONOTONIC, &j->since);
	j->in_group = false;
	j->open = 0;
	return r;
}

int journal_stats(struct journal *j, struct journal_stats *out, struct err *e)
{
	sqlite3_int64 pages = 0, size = 0;
	*out = (struct journal_stats){ 0 };
	for (int k = 0; k < 4; k++) {
		char sql[80];
		sqlite3_int64 n = 0;
		snprintf(sql, sizeof sql, "SELECT count(*) FROM answer WHERE ask=%d", k);
		if (ask_int(j, sql, &n, e))
			return -1;
		out->answers[k] = (uint64_t)n;
	}
	if (ask_int(j, "PRAGMA page_count", &pages, e) || ask_int(j, "PRAGMA page_size", &size, e))
		return -1;
	out->bytes = (uint64_t)pages * (uint64_t)size;
	return 0;
}
