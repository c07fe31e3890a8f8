/* What one environment (the main thread or a worker) owns: mappings and watchers. */
#pragma once

#include <uv.h>

#include "ledger.h"
#include "translate.h"

struct Mapping;
struct Watcher;

/* A place for a watcher; its generation tells a stale handle from the current one. */
struct WatcherSlot {
  Watcher *watcher;
  uint32_t generation;
  int32_t next_free;
};

struct State {
  napi_env env;
  uv_loop_t *loop;
  napi_async_cleanup_hook_handle cleanup;
  bool ending;
  Mapping *mappings;
  Ledger ledger;
  WatcherSlot *slots;
  int32_t slot_count;
  int32_t slot_free;
  /* uv handles whose close callback has not run yet. */
  int32_t handles_open;
};

/* Makes the state of a new environment and registers its end; false if that failed. */
bool state_open(napi_env env);

State *state_of(napi_env env);

/* Frees the state of an environment that ended, once its last uv handle is closed. */
void state_release(State *state);

/* The parts of the environment's end, each in the file of its owner. */
void unmap_all(State *state);
void unwatch_all(State *state);
