/** Processes with a wrong clock, by Debian's package `faketime`. */
import { existsSync } from 'node:fs';

const LIBRARY = '/usr/lib/x86_64-linux-gnu/faketime/libfaketimeMT.so.1';

/** Where it is missing, clocks stay as they are, and whoever wants to turn one says so. */
export const canTurnClocks = existsSync(LIBRARY);

/** The environment of a process whose clock is wrong by so much, as `+10m`. Timers are not touched. */
export const clockOff = (by: `${'+' | '-'}${number}${'s' | 'm' | 'h'}`): Record<string, string> => ({
  LD_PRELOAD: LIBRARY,
  FAKETIME: by,
  FAKETIME_DONT_FAKE_MONOTONIC: '1',
});
