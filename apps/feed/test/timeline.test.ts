import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { rowsOf, type Row } from "../page/rows.ts";
import { emptyTimeline, withArrival, withGap, withGone, withPosts, type Timeline } from "../page/timeline.ts";
import type { Post } from "../post.ts";

function post(postId: number): Post {
  return { postId, author: "guest-1000", content: `post ${postId}`, postedAt: new Date(postId).toISOString() };
}

function timelineOf(channel: string, ids: readonly number[]): Timeline {
  return withPosts(emptyTimeline(channel), ids.map(post));
}

function shorten(row: Row): string | number {
  if (row.kind === "post") return row.post.postId;
  return row.kind === "missed" ? `missed ${row.count}` : `gone from ${row.gone.channel}`;
}

function lines(timelines: readonly Timeline[], newest?: number): (string | number)[] {
  return rowsOf(timelines, newest).rows.map(shorten);
}

describe("a timeline", () => {
  test("has each post once and the newest first, in whatever order and however often they come", () => {
    const ids = fc.array(fc.integer({ min: 1, max: 50 }), { maxLength: 80 });
    fc.assert(
      fc.property(ids, ids, (loaded, arrived) => {
        let timeline = timelineOf("news", loaded);
        for (const id of arrived) timeline = withArrival(timeline, post(id), undefined);
        const expected = [...new Set([...loaded, ...arrived])].sort((a, b) => b - a);
        expect(timeline.posts.map(({ postId }) => postId)).toEqual(expected);
      }),
    );
  });

  test("keeps a page that is open for days from growing without end", () => {
    let timeline = timelineOf("news", []);
    for (let id = 1; id <= 1_001; id++) timeline = withArrival(timeline, post(id), undefined);
    expect(timeline.posts.length).toBe(750);
    expect(timeline).toMatchObject({ hasOlder: true, posts: expect.arrayContaining([expect.objectContaining({ postId: 1_001 })]) });
  });

  test("has one place for a gap that is announced again before anything came", () => {
    const timeline = withGap(withGap(timelineOf("news", [1, 2])));
    expect(timeline.gone).toEqual([{ channel: "news", afterPostId: 2, state: "gone", restored: 0 }]);
  });
});

describe("the rows of a page", () => {
  test("are the posts of all channels, newest first", () => {
    expect(lines([timelineOf("news", [1, 4]), timelineOf("talk", [2, 3])])).toEqual([4, 3, 2, 1]);
  });

  test("have a line between what was there and what was missed, which counts over all channels", () => {
    const news = withArrival(withArrival(timelineOf("news", [1]), post(3), 1), post(5), undefined);
    const talk = withArrival(timelineOf("talk", [2]), post(4), 1);
    expect(lines([news, talk])).toEqual([5, 4, 3, "missed 2", 2, 1]);
  });

  test("have a line for each absence", () => {
    const news = withArrival(withArrival(timelineOf("news", [1]), post(2), 1), post(3), 2);
    expect(lines([news])).toEqual([3, "missed 1", 2, "missed 1", 1]);
  });

  test("have a line where posts are gone, below those that were missed and could be had", () => {
    const news = withArrival(withGap(timelineOf("news", [1])), post(7), 1);
    expect(lines([news])).toEqual([7, "missed 1", "gone from news", 1]);
  });

  test("show what came back in its place, above the line", () => {
    const gap = withArrival(withGap(timelineOf("news", [1])), post(4), undefined);
    const [gone] = gap.gone;
    if (!gone) throw new Error("There is no gap");
    const back = withGone(withPosts(gap, [2, 3].map(post)), { ...gone, state: "restored", restored: 2 });
    expect(lines([back])).toEqual([4, 3, 2, "gone from news", 1]);
  });

  test("end where older posts of one of the channels are not known yet", () => {
    const talk = { ...timelineOf("talk", [5, 6]), hasOlder: true };
    const { rows, unfinished } = rowsOf([timelineOf("news", [1, 4, 7]), talk]);
    expect(rows.map(shorten)).toEqual([7, 6, 5]);
    expect(unfinished).toEqual(["talk"]);
  });

  test("keep back what is newer than what is being read", () => {
    const news = withArrival(timelineOf("news", [1, 2]), post(3), undefined);
    expect(rowsOf([news], 2)).toMatchObject({ held: 1, rows: [{ key: "post 2" }, { key: "post 1" }] });
  });
});
