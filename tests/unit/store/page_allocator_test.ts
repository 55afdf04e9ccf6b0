/** The free stack of pages, by one thread; several threads are in stack_race_test.ts. */

import assert from "node:assert/strict";
import fc from "fast-check";
import { ControlRegion, Header } from "../../../src/store/control.ts";
import { Page, PAGE_WORDS, PageAllocator, PageKind } from "../../../src/store/page_allocator.ts";

function allocatorOf(pageCount: number): { pages: PageAllocator; control: ControlRegion } {
  const control = ControlRegion.create({
    shardCount: 1,
    lockKind: 0,
    pageCount,
    threadCount: 1,
    hashSeed: new Uint32Array(2),
    maxValueBytes: 1,
    segmentShift: 13,
  });
  const pages = new PageAllocator(control, PageAllocator.createDescriptors(pageCount));
  return { pages, control };
}

Deno.test("PageAllocator: hands out every page once, never page 0, and then says 0", () => {
  const { pages } = allocatorOf(10);
  assert.equal(pages.freePages, 9);
  const leased = Array.from({ length: 9 }, () => pages.lease(PageKind.ENTRY, 3, 0));
  assert.deepEqual([...leased].sort((a, b) => a - b), [1, 2, 3, 4, 5, 6, 7, 8, 9]);
  assert.equal(pages.freePages, 0);
  assert.equal(pages.lease(PageKind.ENTRY, 3, 0), 0);
  assert.equal(pages.freePages, 0, "a refusal changes nothing");
});

Deno.test("PageAllocator: a page given back is the next to be leased", () => {
  const { pages } = allocatorOf(10);
  const [a, b, c] = [1, 2, 3].map(() => pages.lease(PageKind.NODE, 0, 0));
  for (const page of [b!, a!, c!]) pages.release(page);
  assert.deepEqual(pages.freeStack(), [c, a, b]);
  assert.deepEqual([1, 2, 3].map(() => pages.lease(PageKind.NODE, 0, 0)), [c, a, b]);
});

Deno.test("PageAllocator: a lease clears the descriptor but for kind, class and shard", () => {
  const { pages } = allocatorOf(4);
  const page = pages.lease(PageKind.CHUNK, 51, 0xffff);
  assert.equal(pages.kindOf(page), PageKind.CHUNK);
  assert.equal(pages.classOf(page), 51);
  assert.equal(pages.shardOf(page), 0xffff);
  for (let word = 1; word < PAGE_WORDS; word++) pages.descriptors[page * PAGE_WORDS + word] = -1;
  pages.release(page);
  assert.equal(pages.kindOf(page), PageKind.FREE);
  assert.equal(pages.lease(PageKind.EXTENT, 0, 2), page);
  const words = pages.descriptors.subarray(page * PAGE_WORDS, (page + 1) * PAGE_WORDS);
  assert.deepEqual([...words], [PageKind.EXTENT | (2 << 16), 0, 0, 0, 0, 0, 0, 0]);
});

Deno.test("PageAllocator: the head never looks the same twice, even with the same page on top", () => {
  const { pages, control } = allocatorOf(4);
  const page = pages.lease(PageKind.NODE, 0, 0);
  pages.release(page);
  const heads = new Set<bigint>();
  for (let i = 0; i < 1000; i++) {
    heads.add(control.longs[Header.PAGE_STACK_LONG]!);
    assert.equal(pages.lease(PageKind.NODE, 0, 0), page);
    pages.release(page);
  }
  // A thread that read the head, slept, and finds the same page on top again must not succeed.
  assert.equal(heads.size, 1000);
});

Deno.test("PageAllocator: the tag wraps without touching the page number", () => {
  const { pages, control } = allocatorOf(6);
  const leased = [1, 2, 3].map(() => pages.lease(PageKind.NODE, 0, 0));
  for (const page of leased) pages.release(page);
  for (const tag of [0x7fff_fffen, 0xffff_fffen]) {
    const head = control.longs[Header.PAGE_STACK_LONG]! & 0xffffffffn;
    control.longs[Header.PAGE_STACK_LONG] = BigInt.asIntN(64, (tag << 32n) | head);
    for (let i = 0; i < 4; i++) {
      const taken = [1, 2, 3].map(() => pages.lease(PageKind.NODE, 0, 0));
      assert.deepEqual(new Set(taken), new Set(leased));
      for (const page of taken.reverse()) pages.release(page);
    }
  }
  assert.equal(pages.freePages, 5);
});

Deno.test("PageAllocator: behaves like a stack on top of a counter", () => {
  fc.assert(
    fc.property(fc.array(fc.boolean(), { maxLength: 200 }), fc.nat(), (steps, pick) => {
      const { pages } = allocatorOf(20);
      const stack: number[] = [];
      const held: number[] = [];
      let fresh = 1;
      for (const lease of steps) {
        if (lease) {
          const expected = stack.pop() ?? (fresh < 20 ? fresh++ : 0);
          assert.equal(pages.lease(PageKind.LEAF, 0, 0), expected);
          if (expected !== 0) held.push(expected);
        } else if (held.length > 0) {
          const [page] = held.splice(pick % held.length, 1);
          pages.release(page!);
          stack.push(page!);
        }
        assert.equal(pages.freePages, 19 - held.length);
      }
      assert.deepEqual(pages.freeStack(), stack.toReversed());
      for (const page of held) {
        assert.notEqual(pages.descriptors[page * PAGE_WORDS + Page.KIND], PageKind.FREE);
      }
    }),
  );
});
