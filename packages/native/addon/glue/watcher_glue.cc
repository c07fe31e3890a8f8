#include <sys/epoll.h>

#include <cerrno>
#include <cstdlib>
#include <cstring>

#include "../core/doorbell.h"
#include "../core/system.h"
#include "functions.h"
#include "state.h"

/* Descriptors that a watcher may be told to close at the end. */
static const size_t owned_max = 4;

/* One descriptor on the event loop. */
struct Watcher {
  uv_poll_t *handle;
  State *state;
  napi_ref callback;
  napi_async_context context;
  int fd;
  int32_t slot;
  /* The descriptor is a doorbell: clear it here, so that JavaScript need not. */
  bool clear;
  bool calling;
  bool closing;
  /* Descriptors to be closed when the environment ends and nobody has unwatched. */
  int32_t owned[owned_max];
  size_t owned_count;
};

namespace {

const int32_t slot_bits = 20;
const int32_t slot_count_max = 1 << slot_bits;
const uint32_t generation_mask = (1u << (31 - slot_bits)) - 1;

void on_poll(uv_poll_t *handle, int status, int events);

uv_handle_t *as_handle(uv_poll_t *handle) {
  return reinterpret_cast<uv_handle_t *>(handle);
}

/* JavaScript sees epoll's bits everywhere; libuv has its own. */
int uv_events_of(int32_t events) {
  int result = 0;
  if (events & EPOLLIN) result |= UV_READABLE;
  if (events & EPOLLOUT) result |= UV_WRITABLE;
  if (events & EPOLLRDHUP) result |= UV_DISCONNECT;
  return result;
}

int32_t events_of(int status, int uv_events) {
  /* libuv reports EPOLLERR as a status, and has stopped the watcher then. */
  if (status < 0) return EPOLLERR;
  int32_t result = 0;
  if (uv_events & UV_READABLE) result |= EPOLLIN;
  if (uv_events & UV_WRITABLE) result |= EPOLLOUT;
  if (uv_events & UV_DISCONNECT) result |= EPOLLRDHUP;
  return result;
}

bool grow_slots(State *state) {
  int32_t count = state->slot_count == 0 ? 16 : state->slot_count * 2;
  if (count > slot_count_max) return false;
  void *grown = realloc(state->slots, sizeof(WatcherSlot) * static_cast<size_t>(count));
  if (grown == nullptr) return false;
  state->slots = static_cast<WatcherSlot *>(grown);
  for (int32_t i = count - 1; i >= state->slot_count; i--) {
    state->slots[i] = {nullptr, 0, state->slot_free};
    state->slot_free = i;
  }
  state->slot_count = count;
  return true;
}

int32_t handle_of(const State *state, int32_t slot) {
  return static_cast<int32_t>(state->slots[slot].generation << slot_bits) | slot;
}

/* Null, and an error thrown, for a handle that is not watched now. */
Watcher *watcher_of(napi_env env, int32_t handle, const char *message) {
  State *state = state_of(env);
  int32_t slot = handle & (slot_count_max - 1);
  if (handle < 0 || slot >= state->slot_count || state->slots[slot].watcher == nullptr ||
      handle_of(state, slot) != handle) {
    throw_error(env, "ERR_NATIVE_HANDLE", message);
    return nullptr;
  }
  return state->slots[slot].watcher;
}

void on_closed(uv_handle_t *handle) {
  Watcher *watcher = static_cast<Watcher *>(uv_handle_get_data(handle));
  State *state = watcher->state;
  free(watcher->handle);
  free(watcher);
  state->handles_open--;
  state_release(state);
}

/* The async context must outlive the call that runs in it. */
void release_context(Watcher *watcher) {
  if (watcher->context == nullptr || watcher->calling) return;
  napi_async_destroy(watcher->state->env, watcher->context);
  watcher->context = nullptr;
}

void close_watcher(Watcher *watcher) {
  State *state = watcher->state;
  WatcherSlot *slot = &state->slots[watcher->slot];
  slot->watcher = nullptr;
  slot->generation = (slot->generation + 1) & generation_mask;
  slot->next_free = state->slot_free;
  state->slot_free = watcher->slot;
  watcher->closing = true;
  napi_delete_reference(state->env, watcher->callback);
  release_context(watcher);
  /* Stopping takes the descriptor out of epoll now; the handle's memory is libuv's until on_closed. */
  uv_poll_stop(watcher->handle);
  uv_close(as_handle(watcher->handle), on_closed);
}

/* What a callback throws becomes an uncaughtException, as everywhere in Node. */
void surface_exception(napi_env env) {
  bool pending = false;
  napi_value exception;
  if (napi_is_exception_pending(env, &pending) == napi_ok && pending &&
      napi_get_and_clear_last_exception(env, &exception) == napi_ok) {
    napi_fatal_exception(env, exception);
  }
}

void on_poll(uv_poll_t *handle, int status, int uv_events) {
  Watcher *watcher = static_cast<Watcher *>(uv_handle_get_data(as_handle(handle)));
  napi_env env = watcher->state->env;
  if (watcher->clear && status == 0) doorbell_clear(watcher->fd);
  napi_handle_scope scope;
  if (napi_open_handle_scope(env, &scope) != napi_ok) return;
  napi_value callback, receiver;
  napi_value argument = make_int32(env, events_of(status, uv_events));
  if (napi_get_reference_value(env, watcher->callback, &callback) == napi_ok &&
      napi_get_global(env, &receiver) == napi_ok) {
    watcher->calling = true;
    napi_status called =
        napi_make_callback(env, watcher->context, receiver, callback, 1, &argument, nullptr);
    watcher->calling = false;
    if (called != napi_ok) surface_exception(env);
    if (watcher->closing) release_context(watcher);
  }
  napi_close_handle_scope(env, scope);
}

/* A new watcher in a slot, not started; null when something ran out (with -errno in `error`). */
Watcher *open_watcher(State *state, int fd, int *error) {
  *error = -ENOMEM;
  if (state->slot_free < 0 && !grow_slots(state)) return nullptr;
  Watcher *watcher = static_cast<Watcher *>(calloc(1, sizeof(Watcher)));
  /* The running libuv knows the size of its handles; the headers may be of another version. */
  void *handle = calloc(1, uv_handle_size(UV_POLL));
  if (watcher != nullptr && handle != nullptr) {
    watcher->handle = static_cast<uv_poll_t *>(handle);
    *error = uv_poll_init(state->loop, watcher->handle, fd);
  }
  if (*error != 0) {
    free(handle);
    free(watcher);
    return nullptr;
  }
  uv_handle_set_data(as_handle(watcher->handle), watcher);
  watcher->state = state;
  watcher->fd = fd;
  watcher->slot = state->slot_free;
  state->slot_free = state->slots[watcher->slot].next_free;
  state->slots[watcher->slot].watcher = watcher;
  state->handles_open++;
  return watcher;
}

}  // namespace

void unwatch_all(State *state) {
  for (int32_t i = 0; i < state->slot_count; i++) {
    Watcher *watcher = state->slots[i].watcher;
    if (watcher == nullptr) continue;
    close_watcher(watcher);
    /* A thread that is terminated runs no more JavaScript that could close them. */
    for (size_t n = 0; n < watcher->owned_count; n++) system_close(watcher->owned[n]);
  }
}

napi_value watch_call(napi_env env, napi_callback_info info) {
  Arguments<6> arguments(env, info, "watch");
  int32_t fd, events;
  int32_t owned[owned_max];
  size_t owned_count;
  bool clear, ref;
  napi_valuetype kind = napi_undefined;
  if (!arguments.read_int32(0, "fd", &fd) || !arguments.read_int32(1, "events", &events) ||
      !arguments.read_bool(2, "clear", &clear) || !arguments.read_bool(3, "ref", &ref) ||
      !arguments.read_int32_list(5, "owned", owned, owned_max, &owned_count)) {
    return nullptr;
  }
  napi_typeof(env, arguments.at(4), &kind);
  if (kind != napi_function) {
    arguments.wrong("callback", "a function");
    return nullptr;
  }
  State *state = state_of(env);
  int error;
  Watcher *watcher = open_watcher(state, fd, &error);
  if (watcher == nullptr) {
    throw_errno(env, error, "uv_poll_init");
    return nullptr;
  }
  watcher->clear = clear;
  memcpy(watcher->owned, owned, sizeof(int32_t) * owned_count);
  watcher->owned_count = owned_count;
  napi_create_reference(env, arguments.at(4), 1, &watcher->callback);
  napi_async_init(env, nullptr, make_text(env, "KoalaWatch"), &watcher->context);
  error = uv_poll_start(watcher->handle, uv_events_of(events), on_poll);
  if (error != 0) {
    close_watcher(watcher);
    throw_errno(env, error, "uv_poll_start");
    return nullptr;
  }
  if (!ref) uv_unref(as_handle(watcher->handle));
  return make_int32(env, handle_of(state, watcher->slot));
}

napi_value watch_change_call(napi_env env, napi_callback_info info) {
  Arguments<2> arguments(env, info, "watchChange");
  int32_t handle, events;
  if (!arguments.read_int32(0, "handle", &handle) || !arguments.read_int32(1, "events", &events)) {
    return nullptr;
  }
  Watcher *watcher = watcher_of(env, handle, "watchChange: this handle is not watched any more");
  if (watcher == nullptr) return nullptr;
  int uv_events = uv_events_of(events);
  int error = uv_events == 0 ? uv_poll_stop(watcher->handle)
                             : uv_poll_start(watcher->handle, uv_events, on_poll);
  if (error != 0) throw_errno(env, error, "uv_poll_start");
  return nullptr;
}

napi_value watch_ref_call(napi_env env, napi_callback_info info) {
  Arguments<2> arguments(env, info, "watchRef");
  int32_t handle;
  bool ref;
  if (!arguments.read_int32(0, "handle", &handle) || !arguments.read_bool(1, "ref", &ref)) {
    return nullptr;
  }
  Watcher *watcher = watcher_of(env, handle, "watchRef: this handle is not watched any more");
  if (watcher == nullptr) return nullptr;
  if (ref) uv_ref(as_handle(watcher->handle));
  else uv_unref(as_handle(watcher->handle));
  return nullptr;
}

napi_value unwatch_call(napi_env env, napi_callback_info info) {
  Arguments<1> arguments(env, info, "unwatch");
  int32_t handle;
  if (!arguments.read_int32(0, "handle", &handle)) return nullptr;
  Watcher *watcher = watcher_of(env, handle, "unwatch: this handle is not watched any more");
  if (watcher != nullptr) close_watcher(watcher);
  return nullptr;
}

napi_value event_loop_fd_call(napi_env env, napi_callback_info) {
  return make_int32(env, uv_backend_fd(state_of(env)->loop));
}
