#include <cerrno>
#include <cstdlib>

#include "../core/region.h"
#include "functions.h"
#include "ledger.h"
#include "state.h"

/*
 * One mapping and the ArrayBuffer over it. The record lives until the buffer's finalizer has run, which
 * may be after the unmapping and after the environment's end.
 */
struct Mapping {
  void *address;
  size_t bytes;
  bool mapped;
  /* Keeps the buffer from being collected; null once that is left to the collector. */
  napi_ref held;
  /* The list of the environment's mappings; out of it once unmapped. */
  State *state;
  Mapping *previous;
  Mapping *next;
};

namespace {

/* Marks the buffers that regionMap made, so that regionUnmap can trust what it unwraps. */
const napi_type_tag region_tag = {0x6b6f616c612d7265, 0x67696f6e2d6d6170};

/* 2 GiB less a byte: every offset fits a 31-bit integer. */
const int64_t mapped_bytes_max = 0x7fffffff;

void link_mapping(State *state, Mapping *mapping) {
  mapping->state = state;
  mapping->next = state->mappings;
  if (mapping->next != nullptr) mapping->next->previous = mapping;
  state->mappings = mapping;
}

/*
 * V8 takes every byte behind a buffer for memory that it could win back by collecting garbage, and collects
 * more often. But mappings are shared memory, mostly untouched, and unmapped by who uses them: with thousands of
 * them a thread would do little else than collect. So what V8 adds for a buffer is taken off again, after V8 has
 * added it, and put back before V8 takes it off itself, which it does when the buffer is collected or detached. That is
 * why a buffer is held as long as its bytes are off the sum.
 *
 * From Node 24 on V8 ends the process when the sum comes below zero, and at the end of an environment its own part is
 * taken off before any hook of an addon runs. There the sum is left alone: attaching costs more, nothing else.
 */
const uint32_t checked_since_node = 24;

bool is_sum_checked(napi_env env) {
  const napi_node_version *version;
  return napi_get_node_version(env, &version) != napi_ok || version->major >= checked_since_node;
}

void adjust(napi_env env, int64_t bytes) {
  if (is_sum_checked(env)) return;
  int64_t total;
  napi_adjust_external_memory(env, bytes, &total);
}

void let_go(Mapping *mapping);

void on_end_of_holding(void *data) { let_go(static_cast<Mapping *>(data)); }

void hold(napi_env env, Mapping *mapping, napi_value buffer) {
  if (napi_create_reference(env, buffer, 1, &mapping->held) != napi_ok) {
    mapping->held = nullptr;
    return;
  }
  napi_add_env_cleanup_hook(env, on_end_of_holding, mapping);
  adjust(env, -static_cast<int64_t>(mapping->bytes));
}

void let_go(Mapping *mapping) {
  if (mapping->held == nullptr) return;
  napi_env env = mapping->state->env;
  adjust(env, static_cast<int64_t>(mapping->bytes));
  napi_remove_env_cleanup_hook(env, on_end_of_holding, mapping);
  napi_delete_reference(env, mapping->held);
  mapping->held = nullptr;
}

void unmap(Mapping *mapping) {
  if (!mapping->mapped) return;
  mapping->mapped = false;
  let_go(mapping);
  if (mapping->previous != nullptr) mapping->previous->next = mapping->next;
  else mapping->state->mappings = mapping->next;
  if (mapping->next != nullptr) mapping->next->previous = mapping->previous;
  region_unmap(mapping->address, mapping->bytes);
}

void on_buffer_collected(napi_env, void *, void *hint) {
  Mapping *mapping = static_cast<Mapping *>(hint);
  unmap(mapping);
  free(mapping);
}

/* The mapping of the first argument, or null and an exception. */
Mapping *mapping_or_throw(napi_env env, const Arguments<1> &arguments) {
  napi_value buffer = arguments.at(0);
  bool is_buffer = false;
  bool tagged = false;
  void *wrapped = nullptr;
  if (napi_is_arraybuffer(env, buffer, &is_buffer) == napi_ok && is_buffer &&
      napi_check_object_type_tag(env, buffer, &region_tag, &tagged) == napi_ok && tagged &&
      napi_unwrap(env, buffer, &wrapped) == napi_ok) {
    return static_cast<Mapping *>(wrapped);
  }
  arguments.wrong("buffer", "an ArrayBuffer that regionMap returned and nobody has unmapped");
  return nullptr;
}

}  // namespace

void unmap_all(State *state) {
  while (state->mappings != nullptr) unmap(state->mappings);
}

napi_value region_create_call(napi_env env, napi_callback_info info) {
  Arguments<2> arguments(env, info, "regionCreate");
  char name[128];
  int64_t bytes;
  if (!arguments.read_text(0, "name", name, sizeof name) ||
      !arguments.read_int64(1, "bytes", &bytes)) {
    return nullptr;
  }
  return descriptor_or_throw(env, region_create(name, bytes), "memfd_create", name);
}

napi_value region_seal_call(napi_env env, napi_callback_info info) {
  Arguments<2> arguments(env, info, "regionSeal");
  int32_t fd, seals;
  if (!arguments.read_int32(0, "fd", &fd) || !arguments.read_int32(1, "seals", &seals)) {
    return nullptr;
  }
  int result = region_seal(fd, seals);
  if (result < 0) throw_errno(env, result, "fcntl", "F_ADD_SEALS");
  return nullptr;
}

napi_value region_seals_call(napi_env env, napi_callback_info info) {
  Arguments<1> arguments(env, info, "regionSeals");
  int32_t fd;
  if (!arguments.read_int32(0, "fd", &fd)) return nullptr;
  return number_or_throw(env, region_seals(fd), "fcntl", "F_GET_SEALS");
}

napi_value region_bytes_call(napi_env env, napi_callback_info info) {
  Arguments<1> arguments(env, info, "regionBytes");
  int32_t fd;
  if (!arguments.read_int32(0, "fd", &fd)) return nullptr;
  return number_or_throw(env, region_bytes(fd), "fstat");
}

napi_value region_map_call(napi_env env, napi_callback_info info) {
  Arguments<3> arguments(env, info, "regionMap");
  int32_t fd;
  int64_t bytes;
  bool writable;
  if (!arguments.read_int32(0, "fd", &fd) || !arguments.read_int64(1, "bytes", &bytes) ||
      !arguments.read_bool(2, "writable", &writable)) {
    return nullptr;
  }
  if (bytes <= 0 || bytes > mapped_bytes_max) {
    arguments.wrong("bytes", "from 1 to 2147483647");
    return nullptr;
  }
  Mapping *mapping = static_cast<Mapping *>(calloc(1, sizeof(Mapping)));
  if (mapping == nullptr) {
    throw_errno(env, -ENOMEM, "mmap");
    return nullptr;
  }
  mapping->bytes = static_cast<size_t>(bytes);
  int result = region_map(fd, mapping->bytes, writable, &mapping->address);
  if (result < 0) {
    free(mapping);
    throw_errno(env, result, "mmap", writable ? "writable" : "read-only");
    return nullptr;
  }
  napi_value buffer;
  if (napi_create_external_arraybuffer(env, mapping->address, mapping->bytes, on_buffer_collected,
                                       mapping, &buffer) != napi_ok) {
    region_unmap(mapping->address, mapping->bytes);
    free(mapping);
    throw_error(env, "ERR_NATIVE_BUFFER",
                "regionMap: this Node refuses buffers over foreign memory; use an official build");
    return nullptr;
  }
  mapping->mapped = true;
  link_mapping(state_of(env), mapping);
  napi_wrap(env, buffer, mapping, nullptr, nullptr, nullptr);
  napi_type_tag_object(env, buffer, &region_tag);
  hold(env, mapping, buffer);
  return buffer;
}

napi_value region_unmap_call(napi_env env, napi_callback_info info) {
  Arguments<1> arguments(env, info, "regionUnmap");
  napi_value buffer = arguments.at(0);
  Mapping *mapping = mapping_or_throw(env, arguments);
  if (mapping == nullptr) return nullptr;
  let_go(mapping);
  /* From here on every view has length 0, so nothing can touch the address again. */
  if (napi_detach_arraybuffer(env, buffer) != napi_ok) {
    throw_error(env, "ERR_NATIVE_BUFFER", "regionUnmap: the buffer can't be detached");
    return nullptr;
  }
  unmap(mapping);
  void *wrapped = nullptr;
  napi_remove_wrap(env, buffer, &wrapped);
  return nullptr;
}

napi_value region_release_call(napi_env env, napi_callback_info info) {
  Arguments<1> arguments(env, info, "regionRelease");
  Mapping *mapping = mapping_or_throw(env, arguments);
  if (mapping != nullptr) let_go(mapping);
  return nullptr;
}

napi_value region_punch_call(napi_env env, napi_callback_info info) {
  Arguments<3> arguments(env, info, "regionPunch");
  int32_t fd;
  int64_t offset, bytes;
  if (!arguments.read_int32(0, "fd", &fd) || !arguments.read_int64(1, "offset", &offset) ||
      !arguments.read_int64(2, "bytes", &bytes)) {
    return nullptr;
  }
  int result = region_punch(fd, offset, bytes);
  if (result < 0) throw_errno(env, result, "fallocate", "FALLOC_FL_PUNCH_HOLE");
  return nullptr;
}

napi_value region_read_at_call(napi_env env, napi_callback_info info) {
  Arguments<4> arguments(env, info, "regionReadAt");
  int32_t fd;
  Bytes target;
  int64_t offset, length;
  if (!arguments.read_int32(0, "fd", &fd) || !arguments.read_uint8_array(1, "target", &target) ||
      !arguments.read_int64(2, "offset", &offset) || !arguments.read_int64(3, "length", &length)) {
    return nullptr;
  }
  if (offset < 0 || !is_inside(target, 0, length)) return make_int32(env, -EINVAL);
  int64_t result = region_read_at(fd, target.data, static_cast<size_t>(length), offset);
  return make_number(env, static_cast<double>(result));
}
