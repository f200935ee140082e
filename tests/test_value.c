/* test_value.c - values: dicts, equality, repr and literals against CPython's (tests/golden/value.json). */
#include "tests/test.h"

#include <math.h>

#include "runners/text/json.h"

static struct arena arena;

static struct value golden(const char *part)
{
	struct value v;
	struct err e = { 0 };
	char path[4200];
	snprintf(path, sizeof path, "%s/tests/golden/value.json", test_srcdir());
	if (json_load(&arena, path, 16 << 20, &v, &e)) {
		printf("%s\n", e.msg);
		exit(99);
	}
	return *v_getc(v, part);
}

static void test_floats(void)
{
	struct value all = golden("floats");
	for (size_t i = 0; i < all.list->n; i++) {
		struct str hex = all.list->v[i].list->v[0].s, want = all.list->v[i].list->v[1].s;
		struct str got = v_float_repr(&arena, strtod(arena_cstr(&arena, hex), NULL));
		CHECK(str_eq(got, want), "repr(%s): %s, not %s", hex.p, got.p, want.p);
	}
	CHECK(str_is(v_float_repr(&arena, NAN), "nan"), "nan");
}

static void test_strings(void)
{
	struct value all = golden("strings");
	for (size_t i = 0; i < all.list->n; i++) {
		struct str want = all.list->v[i].list->v[1].s, got = v_repr(&arena, all.list->v[i].list->v[0]);
		CHECK(str_eq(got, want), "repr: %s, not %s", got.p, want.p);
	}
}

static void test_literals(void)
{
	struct value all = golden("literals");
	for (size_t i = 0; i < all.list->n; i++) {
		struct value want = all.list->v[i].list->v[1], v;
		struct str text = all.list->v[i].list->v[0].s;
		struct err e = { 0 };
		int rc = v_literal(&arena, text, &v, &e);
		if (want.type == V_NONE)
			CHECK(rc == -1 && e.code == E_FORMAT && e.msg[0], "'%s' must fail", text.p);
		else
			CHECK(rc == 0 && str_eq(v_repr(&arena, v), want.s), "'%s': %s, not %s", text.p, rc ? e.msg : v_repr(&arena, v).p, want.s.p);
	}
}

static void test_literal_hostile(void)
{
	struct value v;
	struct err e = { 0 };
	char *deep = xmalloc(1000001);
	memset(deep, '[', 1000000);
	deep[1000000] = 0;
	CHECK(v_literal(&arena, str_of(deep), &v, &e) == -1, "a million brackets");
	memset(deep, '-', 1000000);
	CHECK(v_literal(&arena, str_of(deep), &v, &e) == -1, "a million signs");
	CHECK(v_literal(&arena, (struct str){ "'a\0b'", 5 }, &v, &e) == -1, "a NUL byte");
	CHECK(v_literal(&arena, str_of(""), &v, NULL) == -1, "nothing, and no err to fill");
	free(deep);
}

static void test_dicts(void)
{
	struct value d = v_dict(&arena);
	char key[32];
	for (int i = 0; i < 5000; i++) {
		snprintf(key, sizeof key, "key%d", i * 7 % 5000);
		v_set(&arena, d, arena_str(&arena, key, strlen(key)), v_int(i));
	}
	CHECK(d.dict->n == 5000, "5000 keys");
	for (int i = 0; i < 5000; i++) {
		snprintf(key, sizeof key, "key%d", i * 7 % 5000);
		const struct value *v = v_getc(d, key);
		CHECK(v && v->i == i && str_is(d.dict->v[i].key.s, key), "%s: value and place", key);
	}
	CHECK(!v_getc(d, "key5000") && !v_getc(d, ""), "absent keys");
	v_set(&arena, d, STR("key0"), v_cstr("new"));
	CHECK(d.dict->n == 5000 && v_getc(d, "key0")->type == V_STR && str_is(d.dict->v[0].key.s, "key0"), "replaced in its place");

	struct value n = v_dict(&arena), t = v_tuple(&arena, 1), u = v_tuple(&arena, 1);
	v_push(&arena, t, v_int(1));
	v_push(&arena, u, v_float(1));
	for (int i = 0; i < 10; i++)
		v_set_key(&arena, n, v_int(i), v_int(i));
	v_set_key(&arena, n, v_float(3.0), v_cstr("float"));
	v_set_key(&arena, n, v_bool(true), v_cstr("bool"));
	v_set_key(&arena, n, t, v_cstr("tuple"));
	CHECK(n.dict->n == 11, "1, 1.0 and True are one key");
	CHECK(v_get_key(n, v_int(3))->type == V_STR && v_get_key(n, v_int(1))->type == V_STR, "numbers meet");
	CHECK(v_get_key(n, u) != NULL, "tuples compare inside");
	CHECK(v_get_key(v_int(1), v_int(1)) == NULL, "not a dict");
}

static void test_equality(void)
{
	CHECK(v_equal(v_int(1), v_float(1)) && v_equal(v_bool(true), v_int(1)), "numbers");
	CHECK(!v_equal(v_int(9007199254740993), v_float(9007199254740992.0)), "2^53 + 1 is not the float beside it");
	CHECK(!v_equal(v_int(INT64_MAX), v_float(9223372036854775808.0)), "2^63 - 1 and 2^63");
	CHECK(v_compare_num(v_int(INT64_MIN), v_float(-9223372036854775808.0)) == 0, "-2^63");
	CHECK(v_compare_num(v_float(0.5), v_int(0)) == 1 && v_compare_num(v_int(-1), v_float(-1.5)) == 1, "fractions");
	CHECK(v_compare_num(v_float(NAN), v_int(1)) == 2 && !v_equal(v_float(NAN), v_float(NAN)), "NaN");
	CHECK(!v_equal(v_cstr("1"), v_int(1)) && !v_equal(VNONE, v_bool(false)), "types");
	CHECK(!v_truth(v_cstr("")) && !v_truth(v_list(&arena, 0)) && !v_truth(VNONE) && !v_truth(v_float(-0.0)), "false values");
	CHECK(v_truth(v_cstr("0")) && v_truth(v_int(-1)), "true values");
}

static void test_nested(void)
{
	struct value x = v_list(&arena, 0), y = v_list(&arena, 0);
	for (int i = 0; i < 60; i++) { /* x = [x, x], sixty times */
		struct value p = v_list(&arena, 2), q = v_list(&arena, 2);
		v_push(&arena, p, x);
		v_push(&arena, p, x);
		v_push(&arena, q, y);
		v_push(&arena, q, y);
		x = p;
		y = q;
	}
	struct buf b = { 0 };
	struct vwalk w = { .left = 10000, .depth = VWALK_DEPTH };
	v_write_repr(&b, x, &w);
	CHECK(w.over && b.n < 100000, "the budget ends a walk that would not end");
	buf_fini(&b);
	w = (struct vwalk){ .left = 10000, .depth = VWALK_DEPTH };
	CHECK(!v_equal_walk(x, y, &w) && w.over, "so does it for equality");
	for (int i = 0; i < 100000; i++) {
		struct value p = v_list(&arena, 1);
		v_push(&arena, p, x);
		x = p;
	}
	CHECK(v_repr(&arena, x).n > 0, "100000 levels");
	v_copy(&arena, x);
}

int main(int argc, char **argv)
{
	static const struct test tests[] = { { "repr of floats", test_floats }, { "repr of strings", test_strings }, { "literals", test_literals },
		{ "hostile literals", test_literal_hostile }, { "dicts", test_dicts }, { "equality and truth", test_equality },
		{ "shared and deep values", test_nested }, { NULL, NULL } };
	arena_init(&arena);
	int rc = test_main("value", tests, argc, argv);
	arena_fini(&arena);
	return rc;
}
