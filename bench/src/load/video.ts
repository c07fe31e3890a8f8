/** What the main program and the camera (`programs/video-client.ts`) say to each other. */

/** Send frames for so long. */
export interface VideoCommand {
  readonly op: "video";
  readonly framesPerSecond: number;
  /** Of a frame. */
  readonly bytes: number;
  readonly seconds: number;
}

export interface VideoFigures {
  /** From when each frame was due until it was back, ms. */
  readonly frameMs: readonly number[];
  /** Frames that were back after the next one was due. */
  readonly late: number;
}
