#include "../core/poller.h"

#include <cerrno>

#include "functions.h"
#include "ledger.h"

napi_value poller_create_call(napi_env env, napi_callback_info) {
  return descriptor_or_throw(env, poller_create(), "epoll_create1");
}

namespace {

typedef int (*Control)(int poller, int fd, int32_t tag, uint32_t events);

napi_value control(napi_env env, napi_callback_info info, const char *function, Control call) {
  Arguments<4> arguments(env, info, function);
  int32_t poller, fd, tag;
  int64_t events;
  if (!arguments.read_int32(0, "poller", &poller) || !arguments.read_int32(1, "fd", &fd) ||
      !arguments.read_int32(2, "tag", &tag) || !arguments.read_int64(3, "events", &events)) {
    return nullptr;
  }
  int result = call(poller, fd, tag, static_cast<uint32_t>(events));
  if (result < 0) throw_errno(env, result, "epoll_ctl");
  return nullptr;
}

}  // namespace

napi_value poller_add_call(napi_env env, napi_callback_info info) {
  return control(env, info, "pollerAdd", poller_add);
}

napi_value poller_modify_call(napi_env env, napi_callback_info info) {
  return control(env, info, "pollerModify", poller_modify);
}

napi_value poller_remove_call(napi_env env, napi_callback_info info) {
  Arguments<2> arguments(env, info, "pollerRemove");
  int32_t poller, fd;
  if (!arguments.read_int32(0, "poller", &poller) || !arguments.read_int32(1, "fd", &fd)) {
    return nullptr;
  }
  int result = poller_remove(poller, fd);
  if (result < 0) throw_errno(env, result, "epoll_ctl");
  return nullptr;
}

napi_value poller_wait_call(napi_env env, napi_callback_info info) {
  Arguments<4> arguments(env, info, "pollerWait");
  int32_t poller, events_max;
  int32_t *out;
  size_t out_count;
  int64_t timeout_micros;
  if (!arguments.read_int32(0, "poller", &poller) ||
      !arguments.read_int32_array(1, "out", &out, &out_count) ||
      !arguments.read_int32(2, "eventsMax", &events_max) ||
      !arguments.read_int64(3, "timeoutMicros", &timeout_micros)) {
    return nullptr;
  }
  if (events_max <= 0 || out_count / 2 < static_cast<size_t>(events_max)) {
    return make_int32(env, -EINVAL);
  }
  return make_int32(env, poller_wait(poller, out, events_max, timeout_micros));
}
