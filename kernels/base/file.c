/* file.c - reads a whole file into an arena. */
#include "kernels/base/file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

int file_load(struct arena *a, const char *path, size_t max_bytes, struct str *out, struct err *e)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	struct stat st;
	if (fd < 0)
		return err_errno(e, E_IO, "%s", path);
	if (fstat(fd, &st) || S_ISDIR(st.st_mode)) {
		close(fd);
		return err_set(e, E_IO, "%s: not a file", path);
	}
	struct buf b = { 0 };
	char block[65536];
	ssize_t n;
	while ((n = read(fd, block, sizeof block)) != 0) {
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			break;
		if (b.n + (size_t)n > max_bytes) {
			close(fd);
			buf_fini(&b);
			return err_set(e, E_LIMIT, "%s: larger than %zu bytes", path, max_bytes);
		}
		buf_add(&b, block, (size_t)n);
	}
	int saved = errno;
	close(fd);
	if (n < 0) {
		buf_fini(&b);
		errno = saved;
		return err_errno(e, E_IO, "%s", path);
	}
	*out = arena_str(a, b.p ? b.p : "", b.n);
	buf_fini(&b);
	return 0;
}
