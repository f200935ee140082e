/* cuda_emu.h - CUDA's words for g++: runs the very same .cu files on the CPU, for tests (through kernels/cuda.h).
 *
 *   g++ -std=c++17 -O2 -ffp-contract=off -Wall -Wextra -Wno-unknown-pragmas -DASSAY_CUDA_EMU -I. -x c++ -c kernels/x_cuda.cu
 *   g++ -std=c++17 -O2 -ffp-contract=off -DASSAY_CUDA_EMU -I. -c tests/cuda_emu.cc       (link these two:)
 *   g++ -std=c++17 -O2 -ffp-contract=off -DASSAY_CUDA_EMU -I. -c tests/cuda_emu_rt.cc
 * (-mfma where the machine that runs it has it: __fmaf_rn is then one instruction; the bits are the same without.)
 *
 * Every thread of a block is a fiber; fibers run one after the other from barrier to barrier, in an order that the test
 * chooses (emu_order), warps in step or one ahead of the others, and blocks run in an order drawn from the seed. What is wrong in a
 * kernel is reported with kernel, block and thread: access out of range of a cudaMalloc or of a shared array (guard pages; bytes
 * between the end and the guard page are checked afterwards), use after cudaFree, a host pointer passed to a kernel, a barrier or a
 * warp operation that not all reach, a shuffle from a lane outside the mask, too much shared memory, too many threads.
 * Fresh memory, shared and global, is filled with a NaN pattern that differs from order to order. A race shows as a
 * result that differs between orders: run a kernel under each of enum emu_order and compare with memcmp.
 *
 * Deliberately absent, so that using it does not compile: __shared__ (use CU_SHARED), float atomics, float min and max,
 * __activemask, fast-math intrinsics, textures, cooperative groups.
 */
#ifndef ASSAY_CUDA_EMU_H
#define ASSAY_CUDA_EMU_H

#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

/* ---- for tests (C and C++) ---- */
#ifdef __cplusplus
extern "C" {
#endif

enum emu_order { EMU_FORWARD, EMU_BACKWARD, EMU_RANDOM, EMU_ORDERS };

/* The order of a block's threads between two barriers, from the next launch on. First: EMU_FORWARD. Behind a warp operation all warps
 * keep step in EMU_FORWARD, one is ahead up to the barrier in EMU_BACKWARD, and either is drawn in EMU_RANDOM. */
void emu_order(enum emu_order o);
const char *emu_order_name(enum emu_order o);

/* Seed of the order of blocks and of EMU_RANDOM; first: ASSAY_SEED, else 1. Every report names it. */
void emu_seed(uint64_t seed);
uint64_t emu_seed_now(void);

/* Calls fn(ctx) and returns the report of the first fault in it, or NULL when there was none. Without this a report goes
 * to stderr and the process exits with status 1. The text is valid until the next call. */
const char *emu_expect_fault(void (*fn)(void *ctx), void *ctx);

/* What ran so far. emu_summary prints one line a kernel: launches, blocks, threads, seconds. */
unsigned long emu_launches(void);
unsigned long emu_switches(void); /* from fiber to fiber */
double emu_seconds(void);         /* in kernels */
void emu_summary(FILE *f);

/* Where the guard page is that an allocation touches: behind it (0, at first) or before it (1). From the next cudaMalloc on. */
void emu_guard_front(int front);

/* Limits and failures of the pretended device: bytes of memory, number of devices (-1: the driver is old, -2: there is none); the
 * n-th next call of `call` ("cudaMalloc", "launch" ...) gives `error`, 1 being the very next. */
void emu_memory(size_t bytes);
void emu_devices(int n);
void emu_fail(const char *call, int n, int error);

/* The device is lost: `launches` more kernels run, the next one does not, and from then on every call gives `error` - not the
 * launch itself, as on a device, but what is called after it. cudaSuccess: it is well again. */
void emu_lose(unsigned long launches, int error);

/* Live allocations and bytes: what a test of device_close looks at. */
size_t emu_allocations(void);
size_t emu_allocated(void);

#ifdef __cplusplus
}
#endif

/* ---- for kernels (C++) ---- */
#ifdef __cplusplus

#include <math.h>
#include <string.h>

#include <tuple>
#include <type_traits>

#include "kernels/base/fma.h"

#define __global__
#define __device__
#define __host__
#define __constant__
#define __grid_constant__
#define __forceinline__ inline __attribute__((always_inline))
#define __launch_bounds__(...)
#define __align__(n) __attribute__((aligned(n)))

struct uint3 {
	unsigned x, y, z;
};
struct dim3 {
	unsigned x, y, z;
	constexpr dim3(unsigned x_ = 1, unsigned y_ = 1, unsigned z_ = 1) : x(x_), y(y_), z(z_) {}
	constexpr dim3(uint3 u) : x(u.x), y(u.y), z(u.z) {}
};

extern uint3 threadIdx, blockIdx;
extern dim3 blockDim, gridDim;
constexpr int warpSize = 32;

#define EMU_VECTOR(T, name) \
	struct __align__(2 * sizeof(T)) name##2 { \
		T x, y; \
	}; \
	struct __align__(4 * sizeof(T) > 16 ? 16 : 4 * sizeof(T)) name##4 { \
		T x, y, z, w; \
	}; \
	static inline name##2 make_##name##2(T x, T y) { return { x, y }; } \
	static inline name##4 make_##name##4(T x, T y, T z, T w) { return { x, y, z, w }; }
EMU_VECTOR(float, float)
EMU_VECTOR(int, int)
EMU_VECTOR(unsigned, uint)
EMU_VECTOR(unsigned short, ushort)
EMU_VECTOR(unsigned char, uchar)
EMU_VECTOR(double, double)
EMU_VECTOR(long long, longlong)
EMU_VECTOR(unsigned long long, ulonglong)
#undef EMU_VECTOR
struct float3 {
	float x, y, z;
};
static inline float3 make_float3(float x, float y, float z) { return { x, y, z }; }
static inline uint3 make_uint3(unsigned x, unsigned y, unsigned z) { return { x, y, z }; }

/* -- launches -- */

typedef struct CUstream_st *cudaStream_t;

struct emu_launch {
	const char *name;
	const void *kernel;
	dim3 grid, block;
	size_t shared;
	cudaStream_t stream;
	void (*run)(void *args); /* the kernel with its arguments, once a thread */
	void *args;
};
void emu_run(const struct emu_launch *l);
void emu_check_pointer(const struct emu_launch *l, const void *p, int arg);

template <class T> static inline void emu_check_arg(const struct emu_launch *l, const T &v, int arg)
{
	if constexpr (std::is_pointer_v<T>)
		emu_check_pointer(l, (const void *)v, arg);
	else
		(void)l, (void)v, (void)arg;
}

/* Takes the arguments with the kernel's own parameter types, evaluated once, as <<<>>> does. */
template <class... P> struct emu_kernel {
	void (*kernel)(P...);
	const char *name;
	dim3 grid, block;
	size_t shared;
	cudaStream_t stream;
	typedef std::tuple<void (*)(P...), P...> bound;
	static void call(void *p)
	{
		std::apply([](void (*k)(P...), const P &...a) { k(a...); }, *static_cast<bound *>(p));
	}
	void operator()(P... a) const
	{
		bound b(kernel, a...);
		struct emu_launch l = { name, (const void *)kernel, grid, block, shared, stream, call, &b };
		int arg = 0;
		(emu_check_arg(&l, a, ++arg), ...);
		(void)arg;
		emu_run(&l);
	}
};
template <class... P>
static inline emu_kernel<P...> emu_bind(void (*k)(P...), const char *name, dim3 g, dim3 b, size_t shared, cudaStream_t s)
{
	return { k, name, g, b, shared, s };
}
#define CU_LAUNCH(kernel, grid, block, shared_bytes, stream, ...) \
	emu_bind(kernel, #kernel, grid, block, shared_bytes, stream)(__VA_ARGS__)

/* -- shared memory -- */

struct emu_site { /* one CU_SHARED in the text */
	const char *name;
	unsigned long block; /* the block that `p` was given to */
	void *p;
};
void *emu_shared(struct emu_site *s, size_t bytes, const char *file, int line);
void *emu_dynamic(void);
extern unsigned long emu_block; /* serial number of the running block */

#define CU_SHARED(type, name, count) \
	static struct emu_site name##_site_ = { #name, 0, nullptr }; \
	if (name##_site_.block != emu_block) \
		emu_shared(&name##_site_, sizeof(type) * (count), __FILE__, __LINE__); \
	type(&name)[count] = *static_cast<type(*)[count]>(name##_site_.p)
#define CU_SHARED_DYNAMIC(type, name) type *name = static_cast<type *>(emu_dynamic())

/* -- barriers and warps -- */

#define EMU_HERE const char *file = __builtin_FILE(), int line = __builtin_LINE()

enum emu_op {
	EMU_SYNC, EMU_SYNC_COUNT, EMU_SYNC_AND, EMU_SYNC_OR, /* of a block */
	EMU_WARP, EMU_SHFL, EMU_SHFL_UP, EMU_SHFL_DOWN, EMU_SHFL_XOR, EMU_BALLOT, EMU_ANY, EMU_ALL, EMU_RADD, EMU_RMIN, EMU_RMAX,
	EMU_RIMIN, EMU_RIMAX, EMU_RAND, EMU_ROR, EMU_RXOR, EMU_OPS
};
int emu_barrier(enum emu_op op, int pred, const char *file, int line);
uint64_t emu_warp(enum emu_op op, unsigned mask, uint64_t v, unsigned arg, int width, const char *file, int line);

static inline void __syncthreads(EMU_HERE) { emu_barrier(EMU_SYNC, 0, file, line); }
static inline int __syncthreads_count(int p, EMU_HERE) { return emu_barrier(EMU_SYNC_COUNT, p, file, line); }
static inline int __syncthreads_and(int p, EMU_HERE) { return emu_barrier(EMU_SYNC_AND, p, file, line); }
static inline int __syncthreads_or(int p, EMU_HERE) { return emu_barrier(EMU_SYNC_OR, p, file, line); }
static inline void __syncwarp(unsigned mask = 0xffffffffu, EMU_HERE) { emu_warp(EMU_WARP, mask, 0, 0, 32, file, line); }

template <class T> static inline T emu_shfl(enum emu_op op, unsigned mask, T v, unsigned arg, int width, const char *file, int line)
{
	static_assert(std::is_arithmetic_v<T> && (sizeof(T) == 4 || sizeof(T) == 8), "a shuffle moves 4 or 8 bytes");
	uint64_t u = 0;
	memcpy(&u, &v, sizeof v);
	u = emu_warp(op, mask, u, arg, width, file, line);
	memcpy(&v, &u, sizeof v);
	return v;
}
template <class T> static inline T __shfl_sync(unsigned mask, T v, int lane, int width = 32, EMU_HERE)
{
	return emu_shfl(EMU_SHFL, mask, v, (unsigned)lane, width, file, line);
}
template <class T> static inline T __shfl_up_sync(unsigned mask, T v, unsigned delta, int width = 32, EMU_HERE)
{
	return emu_shfl(EMU_SHFL_UP, mask, v, delta, width, file, line);
}
template <class T> static inline T __shfl_down_sync(unsigned mask, T v, unsigned delta, int width = 32, EMU_HERE)
{
	return emu_shfl(EMU_SHFL_DOWN, mask, v, delta, width, file, line);
}
template <class T> static inline T __shfl_xor_sync(unsigned mask, T v, int lanes, int width = 32, EMU_HERE)
{
	return emu_shfl(EMU_SHFL_XOR, mask, v, (unsigned)lanes, width, file, line);
}
static inline unsigned __ballot_sync(unsigned mask, int p, EMU_HERE)
{
	return (unsigned)emu_warp(EMU_BALLOT, mask, p != 0, 0, 32, file, line);
}
static inline int __any_sync(unsigned mask, int p, EMU_HERE) { return (int)emu_warp(EMU_ANY, mask, p != 0, 0, 32, file, line); }
static inline int __all_sync(unsigned mask, int p, EMU_HERE) { return (int)emu_warp(EMU_ALL, mask, p != 0, 0, 32, file, line); }

#define EMU_REDUCE(T, name, op) \
	static inline T name(unsigned mask, T v, EMU_HERE) { return (T)emu_warp(op, mask, (unsigned)v, 0, 32, file, line); }
EMU_REDUCE(int, __reduce_add_sync, EMU_RADD)
EMU_REDUCE(unsigned, __reduce_add_sync, EMU_RADD)
EMU_REDUCE(int, __reduce_min_sync, EMU_RIMIN)
EMU_REDUCE(unsigned, __reduce_min_sync, EMU_RMIN)
EMU_REDUCE(int, __reduce_max_sync, EMU_RIMAX)
EMU_REDUCE(unsigned, __reduce_max_sync, EMU_RMAX)
EMU_REDUCE(unsigned, __reduce_and_sync, EMU_RAND)
EMU_REDUCE(unsigned, __reduce_or_sync, EMU_ROR)
EMU_REDUCE(unsigned, __reduce_xor_sync, EMU_RXOR)
#undef EMU_REDUCE

static inline void __threadfence(void) {}
static inline void __threadfence_block(void) {}

/* -- atomics: integers only -- */

#define EMU_ATOMIC(T) \
	static inline T atomicAdd(T *p, T v) { T o = *p; *p = (T)(o + v); return o; } \
	static inline T atomicMin(T *p, T v) { T o = *p; *p = v < o ? v : o; return o; } \
	static inline T atomicMax(T *p, T v) { T o = *p; *p = v > o ? v : o; return o; } \
	static inline T atomicExch(T *p, T v) { T o = *p; *p = v; return o; } \
	static inline T atomicAnd(T *p, T v) { T o = *p; *p = o & v; return o; } \
	static inline T atomicOr(T *p, T v) { T o = *p; *p = o | v; return o; } \
	static inline T atomicCAS(T *p, T is, T v) { T o = *p; if (o == is) *p = v; return o; }
EMU_ATOMIC(int)
EMU_ATOMIC(unsigned)
EMU_ATOMIC(unsigned long long)
#undef EMU_ATOMIC

/* -- arithmetic -- */

static inline float __fmaf_rn(float a, float b, float c) { return xfmaf(a, b, c); }
static inline float __fadd_rn(float a, float b) { return a + b; }
static inline float __fsub_rn(float a, float b) { return a - b; }
static inline float __fmul_rn(float a, float b) { return a * b; }
static inline float __fdiv_rn(float a, float b) { return a / b; }
static inline float __fsqrt_rn(float a) { return __builtin_sqrtf(a); }
static inline double __fma_rn(double a, double b, double c) { return __builtin_fma(a, b, c); }
static inline double __dadd_rn(double a, double b) { return a + b; }
static inline double __dmul_rn(double a, double b) { return a * b; }
static inline double __ddiv_rn(double a, double b) { return a / b; }

template <class To, class From> static inline To emu_bits(From f)
{
	static_assert(sizeof(To) == sizeof(From), "");
	To t;
	memcpy(&t, &f, sizeof t);
	return t;
}
static inline unsigned __float_as_uint(float f) { return emu_bits<unsigned>(f); }
static inline int __float_as_int(float f) { return emu_bits<int>(f); }
static inline float __uint_as_float(unsigned u) { return emu_bits<float>(u); }
static inline float __int_as_float(int i) { return emu_bits<float>(i); }
static inline float __int2float_rn(int i) { return (float)i; }
static inline float __uint2float_rn(unsigned u) { return (float)u; }

static inline int min(int a, int b) { return a < b ? a : b; }
static inline int max(int a, int b) { return a > b ? a : b; }
static inline unsigned min(unsigned a, unsigned b) { return a < b ? a : b; }
static inline unsigned max(unsigned a, unsigned b) { return a > b ? a : b; }
static inline long long min(long long a, long long b) { return a < b ? a : b; }
static inline long long max(long long a, long long b) { return a > b ? a : b; }
static inline unsigned long min(unsigned long a, unsigned long b) { return a < b ? a : b; }
static inline unsigned long max(unsigned long a, unsigned long b) { return a > b ? a : b; }

static inline int __popc(unsigned u) { return __builtin_popcount(u); }
static inline int __popcll(unsigned long long u) { return __builtin_popcountll(u); }
static inline int __ffs(int i) { return __builtin_ffs(i); }
static inline int __clz(int i) { return i ? __builtin_clz((unsigned)i) : 32; }
static inline int __clzll(long long i) { return i ? __builtin_clzll((unsigned long long)i) : 64; }
static inline unsigned __umulhi(unsigned a, unsigned b) { return (unsigned)((uint64_t)a * b >> 32); }
static inline unsigned long long __umul64hi(unsigned long long a, unsigned long long b)
{
	__extension__ typedef unsigned __int128 u128;
	return (unsigned long long)((u128)a * b >> 64);
}
static inline unsigned __byte_perm(unsigned a, unsigned b, unsigned s)
{
	uint64_t u = (uint64_t)b << 32 | a;
	unsigned r = 0;
	for (int i = 0; i < 4; i++) {
		unsigned n = s >> 4 * i & 15u, byte = (unsigned)(u >> 8 * (n & 7u)) & 255u;
		r |= (n & 8u ? (byte & 128u ? 255u : 0u) : byte) << 8 * i;
	}
	return r;
}
template <class T> static inline T __ldg(const T *p) { return *p; }
template <class T> static inline T __ldcg(const T *p) { return *p; }
template <class T> static inline T __ldcs(const T *p) { return *p; }
template <class T> static inline void __stcs(T *p, T v) { *p = v; }
template <class T> static inline void __stcg(T *p, T v) { *p = v; }

#include "tests/cuda_emu_rt.h"

#endif
#endif
