/**
 * How the C library hands out memory, in the executable on Linux.
 *
 * Threads that compile take pieces of up to 32 KiB and give them back, and by default the library
 * keeps them: 15 to 20 MB with many clients (docs/performance.md). `deno task start` and the image
 * say so in the environment, which has to be there before a process is. An executable is started
 * by whoever has it, so it tells the library itself.
 *
 * @module
 */

/**
 * From this size on a block has pages of its own, which go back to the system with it: above the 16
 * KiB of a record of TLS. As `MALLOC_MMAP_THRESHOLD_` in the task `start`. Unit: bytes.
 */
export const OWN_PAGES_BYTES = 32_768;

/** What may stay free at the end of a heap: what it is by default. Unit: bytes. */
const FREE_END_BYTES = 131_072;

/** Parameters of `mallopt`, from `malloc.h`. */
const M_TRIM_THRESHOLD = -1;
const M_MMAP_THRESHOLD = -3;

/** The library that is loaded already; where there is another one, it keeps its ways. */
const C_LIBRARY = "libc.so.6";

/**
 * Sets the allocator up in an executable, and gives up for good what that takes: to call what is not
 * JavaScript. Elsewhere it does nothing; who has `deno run` can set the environment.
 *
 * Thread: the main isolate, before any other.
 */
export function settleAllocator(): void {
  if (!Deno.build.standalone) return;
  if (Deno.build.os === "linux") giveLargeBlocksBack();
  Deno.permissions.revokeSync({ name: "ffi" });
}

/**
 * Has the C library give blocks of {@link OWN_PAGES_BYTES} and more back to the system.
 *
 * Needs the permission `ffi`. Thread: any; it is for all threads.
 *
 * @returns whether the library does so; false where it is not glibc
 */
export function giveLargeBlocksBack(): boolean {
  try {
    const library = Deno.dlopen(C_LIBRARY, {
      mallopt: { parameters: ["i32", "i32"], result: "i32" },
    });
    const { mallopt } = library.symbols;
    // Both are fixed by that. Until then the library raised them with each larger block that was freed.
    const isSet = mallopt(M_MMAP_THRESHOLD, OWN_PAGES_BYTES) === 1 &&
      mallopt(M_TRIM_THRESHOLD, FREE_END_BYTES) === 1;
    library.close();
    return isSet;
  } catch {
    // It works as well with more memory.
    return false;
  }
}
