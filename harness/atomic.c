/* atomic.c - files that are written whole or not at all, and mkdir -p.
 *
 * Bytes go to NAME.tmp.PID beside the target, through a buffer, with short writes and EINTR continued. atomic_commit syncs
 * the file, renames it over the target and syncs the folder, so that after a crash either the old or the new file is there.
 * On any failure (a full disk, a limit, a folder that vanished) the temporary file is removed and the old one stays.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "harness/results.h"

struct atomic_file {
	int fd;
	struct buf buf;
	char *path, *tmp;
	bool failed;
};

enum { BUFFER = 1 << 16 };

static char *joined(const char *path, const char *format, long n)
{
	struct buf b = { 0 };
	buf_puts(&b, path);
	buf_printf(&b, format, n);
	return b.p;
}

int atomic_open(struct atomic_file **out, const char *path, struct err *e)
{
	struct atomic_file *f = xcalloc(1, sizeof *f);
	*out = NULL;
	f->path = xstrdup(path);
	f->tmp = joined(path, ".tmp.%ld", (long)getpid());
	f->fd = open(f->tmp, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0666);
	if (f->fd < 0) {
		err_errno(e, E_IO, "%s: cannot create", f->tmp);
		atomic_abort(f);
		return -1;
	}
	*out = f;
	return 0;
}

static int flush(struct atomic_file *f, struct err *e)
{
	for (size_t at = 0; at < f->buf.n;) {
		ssize_t k = write(f->fd, f->buf.p + at, f->buf.n - at);
		if (k < 0 && errno == EINTR)
			continue;
		if (k <= 0) {
			if (k == 0)
				errno = ENOSPC;
			f->failed = true;
			return err_errno(e, E_IO, "%s: cannot write", f->path);
		}
		at += (size_t)k;
	}
	f->buf.n = 0;
	return 0;
}

int atomic_write(struct atomic_file *f, const void *p, size_t n, struct err *e)
{
	if (f->failed)
		return err_set(e, E_IO, "%s: cannot write: an earlier write failed", f->path);
	buf_add(&f->buf, p, n);
	return f->buf.n >= BUFFER ? flush(f, e) : 0;
}

/* A folder's entry reaches the disk; some file systems do not offer it. */
static int sync_folder(const char *path, struct err *e)
{
	char *dir = xstrdup(path), *slash = strrchr(dir, '/');
	if (slash)
		slash[slash == dir] = 0;
	int fd = open(slash ? dir : ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC), r = 0;
	if (fd >= 0 && fsync(fd) && errno != EINVAL && errno != EROFS)
		r = err_errno(e, E_IO, "%s: cannot sync", dir);
	if (fd >= 0)
		close(fd);
	free(dir);
	return r;
}

int atomic_commit(struct atomic_file *f, struct err *e)
{
	int r = f->failed ? err_set(e, E_IO, "%s: cannot write: an earlier write failed", f->path) : flush(f, e);
	if (r == 0 && fsync(f->fd) && errno != EINVAL)
		r = err_errno(e, E_IO, "%s: cannot sync", f->path);
	int fd = f->fd;
	f->fd = -1;
	if (close(fd) && r == 0)
		r = err_errno(e, E_IO, "%s: cannot close", f->path);
	if (r == 0 && rename(f->tmp, f->path))
		r = err_errno(e, E_IO, "%s: cannot replace", f->path);
	if (r == 0) {
		free(f->tmp);
		f->tmp = NULL;
		r = sync_folder(f->path, e);
	}
	atomic_abort(f);
	return r;
}

void atomic_abort(struct atomic_file *f)
{
	if (!f)
		return;
	if (f->fd >= 0)
		close(f->fd);
	if (f->tmp)
		unlink(f->tmp);
	buf_fini(&f->buf);
	free(f->tmp);
	free(f->path);
	free(f);
}

int make_dirs(const char *path, struct err *e)
{
	char *p = xstrdup(path);
	int r = 0;
	for (char *s = p + 1; r == 0 && *p; s++) {
		if (*s && *s != '/')
			continue;
		char c = *s;
		*s = 0;
		struct stat st;
		if (mkdir(p, 0777) && errno != EEXIST)
			r = err_errno(e, E_IO, "%s: cannot create the folder", p);
		else if (stat(p, &st) || !S_ISDIR(st.st_mode))
			r = err_set(e, E_IO, "%s: is not a folder", p);
		*s = c;
		if (!c)
			break;
	}
	free(p);
	return r;
}
