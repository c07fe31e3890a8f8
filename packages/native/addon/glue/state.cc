#include "state.h"

#include <cstdlib>

namespace {

/*
 * Runs when the environment ends. uv handles close on a later turn of the loop, so the hook is an
 * asynchronous one: Node keeps turning the loop until state_release removes it.
 */
void on_environment_end(napi_async_cleanup_hook_handle, void *data) {
  State *state = static_cast<State *>(data);
  state->ending = true;
  unmap_all(state);
  unwatch_all(state);
  state_release(state);
}

}  // namespace

bool state_open(napi_env env) {
  State *state = static_cast<State *>(calloc(1, sizeof(State)));
  if (state == nullptr) return false;
  state->env = env;
  state->slot_free = -1;
  if (napi_get_uv_event_loop(env, &state->loop) != napi_ok ||
      napi_set_instance_data(env, state, nullptr, nullptr) != napi_ok ||
      napi_add_async_cleanup_hook(env, on_environment_end, state, &state->cleanup) != napi_ok) {
    free(state);
    return false;
  }
  return true;
}

State *state_of(napi_env env) {
  void *data = nullptr;
  napi_get_instance_data(env, &data);
  return static_cast<State *>(data);
}

void state_release(State *state) {
  if (!state->ending || state->handles_open > 0) return;
  napi_remove_async_cleanup_hook(state->cleanup);
  free(state->slots);
  free(state);
}
