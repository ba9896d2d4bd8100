import { expect, test } from "vitest";
import { NEAR_FOR_MS, Room, azimuthDeg, halfCircle, seat, WHISPER_DISTANCE } from "./geometry";

const two = () => {
  const room = new Room();
  room.put("A", seat(-0.7, 0.4));
  room.put("B", seat(0.7, 0.4));
  return room;
};

test("A left, B right: A selected comes nearer, B moves too, and after the time both are back", () => {
  const room = two();
  const [a, b] = [room.placeOf("A"), room.placeOf("B")];
  expect(a.azimuthDeg).toBeLessThan(0);
  expect(b.azimuthDeg).toBeGreaterThan(0);
  room.select(0, "A");
  const [near, other] = [room.placeOf("A"), room.placeOf("B")];
  expect(near.distance).toBeLessThan(a.distance);
  expect(other.distance).toBeGreaterThan(b.distance);
  expect(near.gainDb - other.gainDb).toBeGreaterThanOrEqual(6);
  expect(room.tick(NEAR_FOR_MS - 1)).toBe(false);
  expect(room.tick(NEAR_FOR_MS)).toBe(true);
  expect([room.placeOf("A"), room.placeOf("B")]).toEqual([a, b]);
});

test("further right on the screen is further right in the ear, at every depth", () => {
  for (let y = 0; y <= 1; y += 0.1)
    for (let x = -1; x < 0.98; x += 0.02) expect(azimuthDeg(seat(x, y))).toBeLessThan(azimuthDeg(seat(x + 0.02, y)));
});

test("whoever is selected of many is six decibels louder than each", () => {
  for (let n = 2; n < 12; n++) {
    const room = new Room();
    const all = Array.from({ length: n }, (_, i) => `p${i}`);
    room.arrange(all);
    for (const selected of all) {
      room.select(0, selected);
      const near = room.placeOf(selected).gainDb;
      for (const who of all) if (who !== selected) expect(near - room.placeOf(who).gainDb).toBeGreaterThanOrEqual(6);
    }
  }
});

test("the half circle is the server's", () => {
  expect(halfCircle(5).map((s) => Math.round(azimuthDeg(s)))).toEqual([-49, -27, 0, 27, 49]);
});

test("one's own picture close to another whispers to it", () => {
  const room = two();
  expect(room.whispersTo(seat(0, 0.4))).toBeNull();
  expect(room.whispersTo(seat(0.7 - WHISPER_DISTANCE + 0.01, 0.4))).toBe("B");
});
