/* jinja_time.c - strftime for the fixed date that templates see.
 *
 * A benchmark must not depend on the day it runs, so "now" is an ISO date given with the run (else JINJA_DATE_DEFAULT).
 * Names are English, as in the C locale; there is no time zone (%z and %Z are empty, as for Python's naive datetimes).
 * glibc's flags are known: '-' no padding, '_' blanks, '0' zeros, '^' upper case, '#' the other case; so are its modifiers E
 * and O, which change nothing here. Unknown codes stay as they are.
 */
#include "runners/text/jinja_int.h"

#include <stdio.h>
#include <time.h>

static const char *const days[] = { "Sunday", "Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday" };
static const char *const months[] = { "January", "February", "March", "April", "May", "June", "July", "August",
	"September", "October",
	"November", "December" };

static bool leap(int y)
{
	return (y % 4 == 0 && y % 100 != 0) || y % 400 == 0;
}

static int day_of_year(int y, int m, int d) /* from 0 */
{
	static const int before[] = { 0, 31, 59, 90, 120, 151, 181, 212, 243, 273, 304, 334 };
	return before[m - 1] + d - 1 + (m > 2 && leap(y));
}

/* Days since 0001-01-01, a Monday. */
static int day_number(int y, int m, int d)
{
	int p = y - 1;
	return p * 365 + p / 4 - p / 100 + p / 400 + day_of_year(y, m, d);
}

static int parse_date(struct jx *x, struct tm *t)
{
	static const int length[] = { 31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31 };
	const char *date = x->date ? x->date : JINJA_DATE_DEFAULT;
	int y = 0, mo = 0, d = 0, h = 0, mi = 0, s = 0, end = 0, more = 0;
	if (sscanf(date, "%4d-%2d-%2d%n", &y, &mo, &d, &end) != 3 ||
	    (date[end] && (sscanf(date + end, "%*1[T ]%2d:%2d:%2d%n", &h, &mi, &s, &more) < 3 || date[end + more])))
		return jx_fail(x, "the date '%s' is not YYYY-MM-DD or YYYY-MM-DDTHH:MM:SS", date);
	if (y < 1 || mo < 1 || mo > 12 || d < 1 || d > length[mo - 1] + (mo == 2 && leap(y)) || h < 0 || h > 23 ||
	    mi < 0 || mi > 59 || s < 0 || s > 59)
		return jx_fail(x, "the date '%s' does not exist", date);
	*t = (struct tm){ .tm_year = y, .tm_mon = mo - 1, .tm_mday = d, .tm_hour = h, .tm_min = mi, .tm_sec = s,
		.tm_yday = day_of_year(y, mo, d), .tm_wday = (day_number(y, mo, d) + 1) % 7 };
	return 0;
}

/* ISO 8601 week and its year. */
static int iso_week(const struct tm *t, int *year)
{
	int monday = (t->tm_wday + 6) % 7, week = (t->tm_yday - monday + 10) / 7;
	*year = t->tm_year;
	int jan1 = ((t->tm_wday - t->tm_yday) % 7 + 7) % 7; /* weekday of 1 January */
	bool long_year = jan1 == 4 || (jan1 == 3 && leap(t->tm_year));
	if (week < 1) {
		int last = ((jan1 - 1 - leap(t->tm_year - 1)) % 7 + 7) % 7; /* weekday of 1 January a year before */
		--*year;
		return last == 4 || (last == 3 && leap(*year)) ? 53 : 52;
	}
	if (week == 53 && !long_year) {
		++*year;
		return 1;
	}
	return week;
}

static void number(struct buf *b, int v, int width, char pad, char flag)
{
	if (flag == '-')
		buf_printf(b, "%d", v);
	else if ((flag == '_' || flag == '0' ? flag : pad) == '_')
		buf_printf(b, "%*d", width, v);
	else
		buf_printf(b, "%0*d", width, v);
}

/* The flags about case, for what code c wrote from `from` on. */
static void recase(struct buf *b, size_t from, char c, char flag)
{
	bool lower = flag == '#' && c == 'p', upper = flag == '#' ? strchr("aAbBh", c) != NULL : flag == '^' && c != 'P';
	for (size_t i = from; i < b->n; i++) {
		char *p = &b->p[i];
		if (upper && *p >= 'a' && *p <= 'z')
			*p = (char)(*p - 32);
		else if (lower && *p >= 'A' && *p <= 'Z')
			*p = (char)(*p + 32);
	}
}

static void expand(struct buf *b, const struct tm *t, const char *fmt);

/* One code; false when it is not known. */
static bool code(struct buf *b, const struct tm *t, char c, char flag)
{
	static const struct { char c; const char *fmt; } compound[] = { { 'D', "%m/%d/%y" }, { 'F', "%Y-%m-%d" },
		{ 'T', "%H:%M:%S" }, { 'R', "%H:%M" },
		{ 'c', "%a %b %e %H:%M:%S %Y" }, { 'x', "%m/%d/%y" }, { 'X', "%H:%M:%S" }, { 'r', "%I:%M:%S %p" }, { 0,
			NULL } };
	int year, h12 = t->tm_hour % 12 ? t->tm_hour % 12 : 12, week = iso_week(t, &year);
	const struct { char c; int v, width; char pad; } numbers[] = {
		{ 'd', t->tm_mday, 2, '0' }, { 'e', t->tm_mday, 2, '_' }, { 'm', t->tm_mon + 1, 2, '0' }, { 'y',
			t->tm_year % 100, 2, '0' },
		{ 'Y', t->tm_year, 1, '0' }, { 'C', t->tm_year / 100, 1, '0' }, { 'H', t->tm_hour, 2, '0' }, { 'k',
			t->tm_hour, 2, '_' },
		{ 'I', h12, 2, '0' }, { 'l', h12, 2, '_' }, { 'M', t->tm_min, 2, '0' }, { 'S', t->tm_sec, 2, '0' },
			{ 'f', 0, 6, '0' },
		{ 'j', t->tm_yday + 1, 3, '0' }, { 'w', t->tm_wday, 1, '0' }, { 'u', t->tm_wday ? t->tm_wday : 7, 1,
			'0' },
		{ 'U', (t->tm_yday + 7 - t->tm_wday) / 7, 2, '0' }, { 'W', (t->tm_yday + 7 - (t->tm_wday + 6) % 7) / 7,
			2, '0' },
		{ 'V', week, 2, '0' }, { 'G', year, 1, '0' }, { 'g', year % 100, 2, '0' }, { 0, 0, 0, 0 },
	};
	if (c == 'f' && flag) /* Python's own, without flags */
		return false;
	for (int i = 0; numbers[i].c; i++)
		if (numbers[i].c == c) {
			number(b, numbers[i].v, numbers[i].width, numbers[i].pad, flag);
			return true;
		}
	for (int i = 0; compound[i].c; i++)
		if (compound[i].c == c) {
			expand(b, t, compound[i].fmt);
			return true;
		}
	if (c == 'a' || c == 'A')
		buf_add(b, days[t->tm_wday], c == 'a' ? 3 : strlen(days[t->tm_wday]));
	else if (c == 'b' || c == 'B' || c == 'h')
		buf_add(b, months[t->tm_mon], c == 'B' ? strlen(months[t->tm_mon]) : 3);
	else if (c == 'p' || c == 'P')
		buf_puts(b, c == 'p' ? (t->tm_hour < 12 ? "AM" : "PM") : t->tm_hour < 12 ? "am" : "pm");
	else if (c == 'n' || c == 't' || c == '%')
		buf_putc(b, c == 'n' ? '\n' : c == 't' ? '\t' : '%');
	else
		return c == 'z' || c == 'Z';
	return true;
}

static void expand(struct buf *b, const struct tm *t, const char *fmt)
{
	for (const char *p = fmt; *p; p++) {
		const char *start = p;
		char flag = 0;
		if (*p != '%') {
			buf_putc(b, *p);
			continue;
		}
		p++;
		if (*p && strchr("-_0^#", *p))
			flag = *p++;
		if ((*p == 'E' || *p == 'O') && p[1] && strchr(*p == 'E' ? "cCnpPrRtTuxXyYzZ%" : "bBCdeghHGIjklmMnpPrRStTuUVwWyzZ%", p[1]))
			p++;
		size_t from = b->n;
		if (*p && code(b, t, *p, flag)) {
			recase(b, from, *p, flag);
			continue;
		}
		buf_add(b, start, (size_t)(p - start) + (*p != 0));
		if (!*p)
			return;
	}
}

int jx_strftime(struct jx *x, struct str fmt, struct str *out)
{
	struct tm t;
	struct buf b = { 0 };
	if (fmt.n > 4096)
		return jx_limit(x, "a date format of more than 4096 bytes");
	if (parse_date(x, &t))
		return -1;
	expand(&b, &t, arena_cstr(x->a, fmt));
	*out = jx_take(x, &b);
	return 0;
}
