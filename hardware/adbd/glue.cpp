// What adbd needs of Android, for one that runs on Debian: system properties from the environment,
// authorized keys from a file, and a program in place of reboot:, root:, unroot: and remount:.
//
//   ADBD_PROPERTIES  NAME=VALUE,NAME=VALUE: system properties (ro.adb.secure=1 asks for keys)
//   ADBD_KEYS        a file of authorized public keys, one a line
//   ADBD_HOOK        a program that is run with the service's words ("reboot bootloader"); what it
//                    prints is the answer
#include <stdlib.h>
#include <unistd.h>

#include <fstream>
#include <sstream>
#include <string>

#include <adbd_auth.h>
#include <android-base/properties.h>
#include <android-base/unique_fd.h>

#include "daemon/shell_service.h"

namespace {

const bool properties_are_set = [] {
  const char* text = getenv("ADBD_PROPERTIES");
  std::istringstream list(text ? text : "");
  for (std::string pair; std::getline(list, pair, ',');) {
    const size_t equals = pair.find('=');
    if (equals != std::string::npos)
      android::base::SetProperty(pair.substr(0, equals), pair.substr(equals + 1));
  }
  return true;
}();

}  // namespace

// Gives the descriptor of the hook's output for a service that Android's init would serve.
unique_fd kelvin_hook(std::string_view name) {
  const char* hook = getenv("ADBD_HOOK");
  if (!hook) return unique_fd{};
  for (std::string_view service : {"reboot:", "root:", "unroot:", "remount:"}) {
    if (name.substr(0, service.size()) != service) continue;
    const std::string word(service.substr(0, service.size() - 1));
    const std::string rest(name.substr(service.size()));
    return StartSubprocess(std::string(hook) + " " + word + " '" + rest + "'", nullptr,
                           SubprocessType::kRaw, SubprocessProtocol::kNone);
  }
  return unique_fd{};
}

// Android's libadbd_auth asks the framework; here a file answers.
struct AdbdAuthContext {};

extern "C" {

AdbdAuthContext* adbd_auth_new(AdbdAuthCallbacks*) { return new AdbdAuthContext; }
void adbd_auth_delete(AdbdAuthContext* context) { delete context; }
void adbd_auth_run(AdbdAuthContext*) {
  while (true) pause();
}

void adbd_auth_get_public_keys(AdbdAuthContext*,
                               bool (*callback)(const char* public_key, size_t len, void* arg),
                               void* arg) {
  const char* path = getenv("ADBD_KEYS");
  std::ifstream file(path ? path : "");
  for (std::string line; std::getline(file, line);)
    if (!line.empty() && !callback(line.data(), line.size(), arg)) return;
}

uint64_t adbd_auth_notify_auth(AdbdAuthContext*, const char*, size_t) { return 1; }
void adbd_auth_notify_disconnect(AdbdAuthContext*, uint64_t) {}
void adbd_auth_prompt_user(AdbdAuthContext*, const char*, size_t, void*) {}

}  // extern "C"
