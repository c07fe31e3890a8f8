#include "../core/message.h"

#include <cerrno>

#include "functions.h"
#include "ledger.h"

napi_value message_send_call(napi_env env, napi_callback_info info) {
  Arguments<3> arguments(env, info, "sendMessage");
  int32_t fd;
  Bytes source;
  int32_t fds[message_fds_max];
  size_t fd_count;
  if (!arguments.read_int32(0, "fd", &fd) || !arguments.read_uint8_array(1, "source", &source) ||
      !arguments.read_int32_list(2, "fds", fds, message_fds_max, &fd_count)) {
    return nullptr;
  }
  return make_int32(env, message_send(fd, source.data, source.count, fds, static_cast<int>(fd_count)));
}

napi_value message_receive_call(napi_env env, napi_callback_info info) {
  Arguments<3> arguments(env, info, "receiveMessage");
  int32_t fd;
  Bytes target;
  int32_t *fds_out;
  size_t fds_out_count;
  if (!arguments.read_int32(0, "fd", &fd) || !arguments.read_uint8_array(1, "target", &target) ||
      !arguments.read_int32_array(2, "fdsOut", &fds_out, &fds_out_count)) {
    return nullptr;
  }
  if (fds_out_count == 0 || target.count == 0) return make_int32(env, -EINVAL);
  size_t room = fds_out_count - 1;
  if (room > message_fds_max) room = message_fds_max;
  int fd_count = 0;
  int result = message_receive(fd, target.data, target.count, fds_out + 1, static_cast<int>(room),
                               &fd_count);
  fds_out[0] = fd_count;
  for (int i = 1; i <= fd_count; i++) ledger_opened(env, fds_out[i]);
  return make_int32(env, result);
}
