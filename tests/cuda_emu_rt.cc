/* cuda_emu_rt.cc - the emulator's device memory and runtime calls (cuda_emu_rt.h).
 *
 * Each allocation is a mapping of its own between two guards of 1 MiB. It ends at the guard, up to rounding to 16 bytes,
 * which vector loads need; the bytes of that rounding and 64 on the other side carry the poison and are compared after
 * every launch. Freed memory stays reserved without access for a while, so that late readers are caught by name.
 */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include "tests/cuda_emu.h"

#include <limits.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <deque>
#include <map>
#include <vector>

#include "tests/cuda_emu_mem.h"

#define PAGE 4096u
#define EDGE 64u           /* bytes around an allocation that are compared */
#define KEEP_FREED 512u    /* freed allocations that stay reserved */

struct block {
	const char *call;
	char *map, *p;
	size_t len, pages, bytes;
	int serial;
	bool live;
	uint32_t poison;
};

struct failure {
	const char *call;
	int n;
	cudaError_t error;
};

struct emu_event {
	unsigned long copies; /* that were queued before it */
};
struct CUstream_st {
	unsigned flags;
};

static std::map<const char *, struct block> blocks; /* by start of mapping */
static std::deque<const char *> freed;
static std::vector<struct failure> failures;
static std::vector<std::pair<const void *, int>> limits;
static int serial, devices = 1, device, front;
static size_t memory = (size_t)8 << 30, allocated, count;
static cudaError_t last, lost, losing; /* lost: what every call gives; losing: what it will be after `runs_left` launches */
static unsigned long runs_left;

static cudaError_t give(cudaError_t e)
{
	if (e != cudaSuccess)
		last = e;
	return e;
}

bool emu_failing(const char *call)
{
	for (struct failure &f : failures)
		if (f.n > 0 && !strcmp(f.call, call) && --f.n == 0) {
			give(f.error);
			return true;
		}
	return false;
}

bool emu_losing(void)
{
	if (losing != cudaSuccess && runs_left-- == 0) {
		lost = losing;
		losing = cudaSuccess;
	}
	return lost != cudaSuccess;
}

/* The start of every call. */
#define ENTER(call) \
	do { \
		if (devices <= 0) \
			return give(devices ? cudaErrorInsufficientDriver : cudaErrorNoDevice); \
		if (lost != cudaSuccess) \
			return give(lost); \
		if (emu_failing(call)) \
			return last; \
	} while (0)

/* ---- memory ---- */

void *emu_reserve(size_t len, size_t open)
{
	void *p = mmap(nullptr, len, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	if (p == MAP_FAILED)
		emu_fault("no address space for %zu bytes", len);
	if (mprotect((char *)p + EMU_GUARD, open, PROT_READ | PROT_WRITE) != 0)
		emu_fault("no memory for %zu bytes", open);
	return p;
}

static struct block *find(const void *a)
{
	auto it = blocks.upper_bound((const char *)a);
	if (it == blocks.begin())
		return nullptr;
	--it;
	return (const char *)a < it->second.map + it->second.len ? &it->second : nullptr;
}

bool emu_find(const void *a, struct emu_region *r)
{
	const struct block *b = find(a);
	if (b)
		*r = { b->call, b->p, b->bytes, b->serial, b->live };
	return b != nullptr;
}

static char poison_at(uint32_t u, const char *p)
{
	return (char)(u >> 8 * ((uintptr_t)p & 3));
}

/* What belongs to the mapping's open part and is compared: [from, p) and [p + bytes, to). */
static const char *edge_from(const struct block *b)
{
	const char *open = b->map + EMU_GUARD;
	return b->p - open < (ptrdiff_t)EDGE ? open : b->p - EDGE;
}
static const char *edge_to(const struct block *b)
{
	const char *end = b->map + EMU_GUARD + b->pages, *want = b->p + b->bytes + EDGE;
	return want < end ? want : end;
}

static void check_edges(const struct block *b)
{
	for (const char *q = edge_from(b), *to = edge_to(b); q < to; q++) {
		if (q == b->p)
			q += b->bytes;
		if (q < to && *q != poison_at(b->poison, q))
			emu_fault("a write just %s %s #%d of %zu bytes", q < b->p ? "before" : "behind", b->call, b->serial, b->bytes);
	}
}

void emu_check_canaries(void)
{
	for (const auto &b : blocks)
		if (b.second.live)
			check_edges(&b.second);
}

cudaError_t emu_malloc(void **p, size_t bytes, const char *call)
{
	ENTER(call);
	*p = nullptr;
	if (!bytes)
		return cudaSuccess;
	if (bytes > memory || allocated > memory - bytes)
		return give(cudaErrorMemoryAllocation);
	emu_handlers();
	struct block b = {};
	b.call = call;
	b.bytes = bytes;
	b.pages = (bytes + PAGE - 1) / PAGE * PAGE;
	b.len = b.pages + 2 * EMU_GUARD;
	b.map = (char *)emu_reserve(b.len, b.pages);
	b.p = b.map + EMU_GUARD + (front ? 0 : b.pages - (bytes + 15) / 16 * 16);
	b.serial = ++serial;
	b.live = true;
	b.poison = emu_poison();
	uint32_t *u = reinterpret_cast<uint32_t *>(b.map + EMU_GUARD);
	for (size_t i = 0; i < b.pages / 4; i++)
		u[i] = b.poison;
	blocks[b.map] = b;
	allocated += bytes;
	count++;
	*p = b.p;
	return cudaSuccess;
}

static cudaError_t release(void *p, const char *call, const char *made_by)
{
	if (lost == cudaSuccess) /* else it is gone with the device */
		ENTER(call);
	if (!p)
		return cudaSuccess;
	struct block *b = find(p);
	if (!b || b->p != p || strcmp(b->call, made_by) != 0)
		emu_fault("%s of %p, which %s did not return", call, p, made_by);
	if (!b->live)
		emu_fault("%s of %s #%d, which was freed", call, b->call, b->serial);
	check_edges(b);
	b->live = false;
	allocated -= b->bytes;
	count--;
	madvise(b->map + EMU_GUARD, b->pages, MADV_DONTNEED);
	mprotect(b->map, b->len, PROT_NONE);
	freed.push_back(b->map);
	if (freed.size() > KEEP_FREED) {
		auto it = blocks.find(freed.front());
		munmap(it->second.map, it->second.len);
		blocks.erase(it);
		freed.pop_front();
	}
	return give(lost);
}

cudaError_t cudaFree(void *p)
{
	return release(p, "cudaFree", "cudaMalloc");
}

/* A device may read pinned memory until the stream, or an event behind the copy, was waited for: the bytes must be the same then. */
struct departure {
	cudaStream_t stream;
	const void *src;
	std::vector<char> data;
	unsigned long number;
};
static std::vector<struct departure> departures;
static unsigned long copies;

cudaError_t cudaFreeHost(void *p)
{
	const struct block *b = find(p);
	auto inside = [b](const struct departure &d) { return b && find(d.src) == b; };
	departures.erase(std::remove_if(departures.begin(), departures.end(), inside), departures.end()); /* it waits itself */
	return release(p, "cudaFreeHost", "cudaMallocHost");
}

cudaError_t cudaMemGetInfo(size_t *available, size_t *total)
{
	ENTER("cudaMemGetInfo");
	*available = allocated < memory ? memory - allocated : 0;
	*total = memory;
	return cudaSuccess;
}

static bool on_device(const struct block *b)
{
	return b && strcmp(b->call, "cudaMalloc") == 0;
}

/* `bytes` from p lie in device memory (device) or outside it. */
static void check_range(const void *p, size_t bytes, bool device_side, const char *call, const char *role)
{
	const struct block *b = find(p);
	if (!on_device(b)) {
		if (device_side)
			emu_fault("%s: the %s %p is not device memory", call, role, p);
		return;
	}
	if (!device_side)
		emu_fault("%s: the %s is device memory, cudaMalloc #%d", call, role, b->serial);
	if (!b->live)
		emu_fault("%s: the %s is cudaMalloc #%d, which was freed", call, role, b->serial);
	const char *q = (const char *)p;
	if (q < b->p || q > b->p + b->bytes || bytes > (size_t)(b->p + b->bytes - q))
		emu_fault("%s: %zu bytes at %td of cudaMalloc #%d of %zu bytes (the %s)", call, bytes, q - b->p, b->serial, b->bytes, role);
}

static cudaError_t copy(void *dst, const void *src, size_t bytes, enum cudaMemcpyKind kind, const char *call)
{
	ENTER(call);
	if (!bytes)
		return cudaSuccess;
	if (kind != cudaMemcpyDefault) {
		bool to = kind == cudaMemcpyHostToDevice || kind == cudaMemcpyDeviceToDevice;
		bool from = kind == cudaMemcpyDeviceToHost || kind == cudaMemcpyDeviceToDevice;
		check_range(dst, bytes, to, call, "destination");
		check_range(src, bytes, from, call, "source");
	}
	memmove(dst, src, bytes);
	return cudaSuccess;
}

cudaError_t cudaMemcpy(void *dst, const void *src, size_t bytes, enum cudaMemcpyKind kind)
{
	return copy(dst, src, bytes, kind, "cudaMemcpy");
}

/* A copy to the host arrives when its stream is waited for: until then the host finds the poison. */
struct arrival {
	cudaStream_t stream;
	void *dst;
	std::vector<char> data;
};
static std::vector<struct arrival> arrivals;

static void arrive(cudaStream_t s, bool all)
{
	std::vector<struct arrival> later;
	for (struct arrival &a : arrivals)
		if (all || a.stream == s)
			memcpy(a.dst, a.data.data(), a.data.size());
		else
			later.push_back(a);
	arrivals.swap(later);
}

static size_t take_departed(cudaStream_t s, bool all, unsigned long before)
{
	size_t changed = 0; /* bytes of the first whose source is no longer what was copied */
	std::vector<struct departure> later;
	for (struct departure &d : departures)
		if ((!all && d.stream != s) || d.number >= before)
			later.push_back(std::move(d));
		else if (!changed && memcmp(d.src, d.data.data(), d.data.size()) != 0)
			changed = d.data.size();
	departures.swap(later);
	return changed;
}

/* A fault may leave by a jump: nothing is held when it does. */
static void depart(cudaStream_t s, bool all, unsigned long before)
{
	size_t changed = take_departed(s, all, before);
	if (changed)
		emu_fault("the source of an asynchronous copy of %zu bytes was changed before its stream was waited for", changed);
}

cudaError_t cudaMemcpyAsync(void *dst, const void *src, size_t bytes, enum cudaMemcpyKind kind, cudaStream_t s)
{
	cudaError_t e = copy(dst, src, bytes, kind, "cudaMemcpyAsync");
	const struct block *b = find(src);
	if (e == cudaSuccess && bytes && kind == cudaMemcpyHostToDevice && b && strcmp(b->call, "cudaMallocHost") == 0) {
		const char *p = (const char *)src;
		departures.push_back({ s, src, std::vector<char>(p, p + bytes), copies++ });
	}
	if (e == cudaSuccess && bytes && kind == cudaMemcpyDeviceToHost) {
		const char *p = (const char *)dst;
		arrivals.push_back({ s, dst, std::vector<char>(p, p + bytes) });
		memset(dst, 0xff, bytes);
	}
	return e;
}

static cudaError_t set(void *p, int value, size_t bytes, const char *call)
{
	ENTER(call);
	if (!bytes)
		return cudaSuccess;
	check_range(p, bytes, true, call, "destination");
	memset(p, value, bytes);
	return cudaSuccess;
}

cudaError_t cudaMemset(void *p, int value, size_t bytes)
{
	return set(p, value, bytes, "cudaMemset");
}

cudaError_t cudaMemsetAsync(void *p, int value, size_t bytes, cudaStream_t)
{
	return set(p, value, bytes, "cudaMemsetAsync");
}

/* A pointer among a kernel's arguments: device memory (or one past its end), pinned memory, or NULL. */
void emu_check_pointer(const struct emu_launch *l, const void *p, int arg)
{
	const struct block *b = find(p);
	if (!p)
		return;
	if (!b)
		emu_fault("argument %d of kernel %s is %p, which is not device memory", arg, l->name, p);
	if (!b->live)
		emu_fault("argument %d of kernel %s points into %s #%d, which was freed", arg, l->name, b->call, b->serial);
}

/* ---- streams, events, devices ---- */

cudaError_t cudaStreamCreateWithFlags(cudaStream_t *s, unsigned flags)
{
	ENTER("cudaStreamCreate");
	*s = new CUstream_st{ flags };
	return cudaSuccess;
}

cudaError_t cudaStreamDestroy(cudaStream_t s)
{
	delete s; /* on a lost device too: there is nothing else to free it */
	ENTER("cudaStreamDestroy");
	return cudaSuccess;
}

cudaError_t cudaStreamQuery(cudaStream_t)
{
	ENTER("cudaStreamQuery");
	return cudaSuccess;
}

cudaError_t cudaStreamSynchronize(cudaStream_t s)
{
	ENTER("cudaStreamSynchronize");
	arrive(s, false);
	depart(s, false, copies);
	return cudaSuccess;
}

cudaError_t cudaDeviceSynchronize(void)
{
	ENTER("cudaDeviceSynchronize");
	arrive(nullptr, true);
	depart(nullptr, true, copies);
	return cudaSuccess;
}

cudaError_t cudaEventSynchronize(cudaEvent_t e)
{
	ENTER("cudaEventSynchronize");
	arrive(nullptr, true);
	depart(nullptr, true, e->copies);
	return cudaSuccess;
}

cudaError_t cudaEventCreateWithFlags(cudaEvent_t *e, unsigned)
{
	ENTER("cudaEventCreate");
	*e = new emu_event{ 0 };
	return cudaSuccess;
}

cudaError_t cudaEventDestroy(cudaEvent_t e)
{
	delete e;
	return cudaSuccess;
}

cudaError_t cudaEventRecord(cudaEvent_t e, cudaStream_t)
{
	ENTER("cudaEventRecord");
	e->copies = copies;
	return cudaSuccess;
}

cudaError_t cudaGetLastError(void)
{
	cudaError_t e = last;
	if (lost == cudaSuccess && e != cudaErrorIllegalAddress && e != cudaErrorLaunchFailure) /* those two end a context */
		last = cudaSuccess;
	return e;
}

static const struct {
	cudaError_t e;
	const char *name, *text;
} errors[] = {
	{ cudaSuccess, "cudaSuccess", "no error" },
	{ cudaErrorInvalidValue, "cudaErrorInvalidValue", "invalid argument" },
	{ cudaErrorMemoryAllocation, "cudaErrorMemoryAllocation", "out of memory" },
	{ cudaErrorInitializationError, "cudaErrorInitializationError", "initialization error" },
	{ cudaErrorInvalidConfiguration, "cudaErrorInvalidConfiguration", "invalid configuration argument" },
	{ cudaErrorInsufficientDriver, "cudaErrorInsufficientDriver", "CUDA driver version is insufficient for CUDA runtime version" },
	{ cudaErrorNoDevice, "cudaErrorNoDevice", "no CUDA-capable device is detected" },
	{ cudaErrorInvalidDevice, "cudaErrorInvalidDevice", "invalid device ordinal" },
	{ cudaErrorECCUncorrectable, "cudaErrorECCUncorrectable", "uncorrectable ECC error encountered" },
	{ cudaErrorNotReady, "cudaErrorNotReady", "device not ready" },
	{ cudaErrorIllegalAddress, "cudaErrorIllegalAddress", "an illegal memory access was encountered" },
	{ cudaErrorLaunchOutOfResources, "cudaErrorLaunchOutOfResources", "too many resources requested for launch" },
	{ cudaErrorLaunchFailure, "cudaErrorLaunchFailure", "unspecified launch failure" },
	{ cudaErrorUnknown, "cudaErrorUnknown", "unknown error" },
};

const char *cudaGetErrorString(cudaError_t e)
{
	for (const auto &r : errors)
		if (r.e == e)
			return r.text;
	return "unrecognized error code";
}

const char *cudaGetErrorName(cudaError_t e)
{
	for (const auto &r : errors)
		if (r.e == e)
			return r.name;
	return "unrecognized error code";
}

cudaError_t cudaGetDeviceCount(int *n)
{
	*n = 0;
	ENTER("cudaGetDeviceCount");
	*n = devices;
	return cudaSuccess;
}

cudaError_t cudaGetDevice(int *d)
{
	ENTER("cudaGetDevice");
	*d = device;
	return cudaSuccess;
}

cudaError_t cudaSetDevice(int d)
{
	ENTER("cudaSetDevice");
	if (d < 0 || d >= devices)
		return give(cudaErrorInvalidDevice);
	device = d;
	return cudaSuccess;
}

static const struct {
	enum cudaDeviceAttr a;
	int value;
} attributes[] = {
	{ cudaDevAttrMaxThreadsPerBlock, 1024 }, { cudaDevAttrWarpSize, 32 }, { cudaDevAttrClockRate, 1000000 },
	{ cudaDevAttrMultiProcessorCount, 4 }, { cudaDevAttrMemoryClockRate, 1000000 }, { cudaDevAttrGlobalMemoryBusWidth, 64 },
	{ cudaDevAttrL2CacheSize, 1 << 20 }, { cudaDevAttrComputeCapabilityMajor, 9 }, { cudaDevAttrComputeCapabilityMinor, 0 },
	{ cudaDevAttrMaxSharedMemoryPerBlockOptin, 227 << 10 },
};

cudaError_t cudaDeviceGetAttribute(int *value, enum cudaDeviceAttr a, int d)
{
	ENTER("cudaDeviceGetAttribute");
	if (d < 0 || d >= devices)
		return give(cudaErrorInvalidDevice);
	for (const auto &r : attributes)
		if (r.a == a) {
			*value = r.value;
			return cudaSuccess;
		}
	return give(cudaErrorInvalidValue);
}

cudaError_t cudaGetDeviceProperties(struct cudaDeviceProp *p, int d)
{
	ENTER("cudaGetDeviceProperties");
	if (d < 0 || d >= devices)
		return give(cudaErrorInvalidDevice);
	*p = {};
	snprintf(p->name, sizeof p->name, "emulated");
	p->totalGlobalMem = memory;
	p->sharedMemPerBlock = 48 << 10;
	p->sharedMemPerBlockOptin = 227 << 10;
	p->sharedMemPerMultiprocessor = 228 << 10;
	p->warpSize = 32;
	p->maxThreadsPerBlock = 1024;
	p->maxThreadsPerMultiProcessor = 2048;
	p->regsPerBlock = 65536;
	p->major = 9;
	p->multiProcessorCount = 4;
	p->clockRate = p->memoryClockRate = 1000000;
	p->memoryBusWidth = 64;
	p->l2CacheSize = 1 << 20;
	return cudaSuccess;
}

cudaError_t cudaDriverGetVersion(int *v)
{
	*v = devices < -1 ? 0 : devices < 0 ? 11000 : 13000;
	return cudaSuccess;
}

cudaError_t cudaRuntimeGetVersion(int *v)
{
	*v = 12000;
	return cudaSuccess;
}

cudaError_t emu_func_attribute(const void *kernel, enum cudaFuncAttribute a, int value)
{
	ENTER("cudaFuncSetAttribute");
	if (a != cudaFuncAttributeMaxDynamicSharedMemorySize)
		return cudaSuccess;
	if (value < 0 || value > 227 << 10)
		return give(cudaErrorInvalidValue);
	for (auto &l : limits)
		if (l.first == kernel) {
			l.second = value;
			return cudaSuccess;
		}
	limits.push_back({ kernel, value });
	return cudaSuccess;
}

size_t emu_dynamic_limit(const void *kernel)
{
	for (const auto &l : limits)
		if (l.first == kernel && l.second > 48 << 10)
			return (size_t)l.second;
	return 48 << 10;
}

/* ---- for tests ---- */

void emu_guard_front(int on)
{
	front = on;
}

void emu_memory(size_t bytes)
{
	memory = bytes;
}

void emu_devices(int n)
{
	devices = n;
}

void emu_fail(const char *call, int n, int error)
{
	failures.clear();
	failures.push_back({ call, n, (cudaError_t)error });
}

void emu_lose(unsigned long launches, int error)
{
	runs_left = launches;
	losing = (cudaError_t)error;
	lost = last = cudaSuccess;
}

size_t emu_allocations(void)
{
	return count;
}

size_t emu_allocated(void)
{
	return allocated;
}
