# Debian packages that Kelvin needs, by purpose; sourced by the other scripts. One list, one truth.
# shellcheck shell=bash disable=SC2034

# To build.
packages_build=(
  libexpat1-dev libmd-dev libpcre2-dev libsqlite3-dev libssl-dev libudev-dev libusb-1.0-0-dev libxxhash-dev
  libyaml-dev libzstd-dev pkg-config zlib1g-dev
)

# What examples/quickstart.yaml runs and reads.
packages_quickstart=(linux-perf openssl rt-tests stress-ng)

# What the tests run on top of that: tools of the workloads, shells as targets, judges of outputs,
# hosts with devices that are not there.
packages_test=(
  adb android-sdk-libsparse-utils apache2-utils busybox-static curl dash dropbear-bin fastboot fio fish
  iiod inetutils-telnet libiio-utils libnss-wrapper libumockdev-dev libxml2-utils lrzsz mksh openssh-client
  openssh-server openssl procps python3 python3-numpy python3-pip python3-serial rt-app ser2net sigrok-cli socat sqlite3
  strace sudo sysbench toybox trace-cmd udev umockdev unzip util-linux zsh
)

# The virtual bench: emulators, kernel headers and sources, what goes into its guests.
packages_virtual_bench=(
  acpica-tools binutils busybox-static device-tree-compiler dropbear-bin e2fsprogs gcc gcc-aarch64-linux-gnu
  gpiod i2c-tools kexec-tools kmod libc6-dev libc6-dev-arm64-cross linux-headers-amd64 linux-source-6.1 make openssh-client
  openssh-sftp-server python3 qemu-system-arm qemu-system-x86 socat u-boot-qemu udev usbutils xz-utils
)

# To build Android's adbd from its source package (scripts/build-adbd).
packages_adbd=(
  android-libbase-dev android-libboringssl-dev android-libcutils-dev android-liblog-dev dpkg-dev g++
  libcap-dev
)

# The sampler for boards, for each architecture (scripts/build-sampler); an emulator runs it in tests.
packages_sampler=(
  gcc gcc-aarch64-linux-gnu gcc-arm-linux-gnueabihf libc6-dev libc6-dev-arm64-cross libc6-dev-armhf-cross
  qemu-user
)
