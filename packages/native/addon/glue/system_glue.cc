#include "../core/system.h"

#include "functions.h"
#include "ledger.h"

napi_value close_fd_call(napi_env env, napi_callback_info info) {
  Arguments<1> arguments(env, info, "closeFd");
  int32_t fd;
  if (!arguments.read_int32(0, "fd", &fd)) return nullptr;
  ledger_closing(env, fd);
  int result = system_close(fd);
  if (result < 0) throw_errno(env, result, "close");
  return nullptr;
}

napi_value duplicate_fd_call(napi_env env, napi_callback_info info) {
  Arguments<1> arguments(env, info, "duplicateFd");
  int32_t fd;
  if (!arguments.read_int32(0, "fd", &fd)) return nullptr;
  return descriptor_or_throw(env, system_duplicate(fd), "fcntl", "F_DUPFD_CLOEXEC");
}

napi_value lock_file_call(napi_env env, napi_callback_info info) {
  Arguments<1> arguments(env, info, "lockFile");
  int32_t fd;
  if (!arguments.read_int32(0, "fd", &fd)) return nullptr;
  return number_or_throw(env, system_lock(fd), "flock");
}

napi_value monotonic_micros_call(napi_env env, napi_callback_info) {
  return make_number(env, system_monotonic_micros());
}

napi_value thread_cpu_micros_call(napi_env env, napi_callback_info) {
  return make_number(env, system_thread_cpu_micros());
}

napi_value process_cpu_micros_call(napi_env env, napi_callback_info) {
  return make_number(env, system_process_cpu_micros());
}

napi_value set_affinity_call(napi_env env, napi_callback_info info) {
  Arguments<1> arguments(env, info, "setAffinity");
  int32_t cpus[1024];
  size_t count;
  if (!arguments.read_int32_list(0, "cpus", cpus, 1024, &count)) return nullptr;
  int result = system_set_affinity(cpus, static_cast<int>(count));
  if (result < 0) throw_errno(env, result, "sched_setaffinity");
  return nullptr;
}

napi_value thread_yield_call(napi_env env, napi_callback_info) {
  system_yield();
  return make_int32(env, 0);
}

napi_value runnable_threads_call(napi_env env, napi_callback_info) {
  return number_or_throw(env, system_runnable_threads(), "open", "/proc/loadavg");
}

napi_value errno_name_call(napi_env env, napi_callback_info info) {
  Arguments<1> arguments(env, info, "errnoName");
  int32_t error;
  if (!arguments.read_int32(0, "errno", &error)) return nullptr;
  ErrnoText text;
  describe_errno(error, &text);
  return make_text(env, text.name);
}
