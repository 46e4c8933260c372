# Gadgets that the kernel itself plays, by configfs: shell functions, for the guest's root.
# shellcheck shell=sh
#
#   . configfs.sh
#   gadget_acm g1 dummy_udc.0 SERIAL        ttyACM on the host's side, /dev/ttyGS on the device's
#   gadget_unplug g1; gadget_plug g1 dummy_udc.0; gadget_remove g1
#
# A UDC has one gadget at a time. Each function returns non-zero with the kernel's words on failure.
GADGETS=${GADGETS:-/sys/kernel/config/usb_gadget}

# gadget_create NAME VENDOR PRODUCT SERIAL MANUFACTURER PRODUCT-TEXT
gadget_create() {
  mkdir "$GADGETS/$1" "$GADGETS/$1/strings/0x409" "$GADGETS/$1/configs/c.1" || return
  echo "$2" >"$GADGETS/$1/idVendor" && echo "$3" >"$GADGETS/$1/idProduct" || return
  echo "$4" >"$GADGETS/$1/strings/0x409/serialnumber"
  echo "$5" >"$GADGETS/$1/strings/0x409/manufacturer"
  echo "$6" >"$GADGETS/$1/strings/0x409/product"
}

# gadget_function NAME FUNCTION, e.g. acm.usb0
gadget_function() {
  mkdir "$GADGETS/$1/functions/$2" || return
  ln -s "$GADGETS/$1/functions/$2" "$GADGETS/$1/configs/c.1/$2"
}

gadget_plug() { echo "$2" >"$GADGETS/$1/UDC"; }

gadget_unplug() { echo "" >"$GADGETS/$1/UDC"; }

# Unplugs first when need be; what is already gone is no failure.
gadget_remove() {
  [ -d "$GADGETS/$1" ] || return 0
  gadget_unplug "$1" 2>/dev/null || :
  for entry in "$GADGETS/$1"/configs/c.1/*.*; do
    [ -L "$entry" ] && rm "$entry"
  done
  rmdir "$GADGETS/$1"/configs/* "$GADGETS/$1"/functions/* "$GADGETS/$1"/strings/* "$GADGETS/$1" \
    2>/dev/null || :
  [ ! -d "$GADGETS/$1" ]
}

# gadget_acm NAME UDC SERIAL [PORTS]: a serial adapter of one or more ports.
gadget_acm() {
  gadget_create "$1" 0x1209 0x0002 "$3" Kelvin "Virtual serial port" || return
  port=0
  while [ "$port" -lt "${4:-1}" ]; do
    gadget_function "$1" "acm.$1-$port" || return
    port=$((port + 1))
  done
  gadget_plug "$1" "$2"
}

# gadget_hid NAME UDC SERIAL: the ids of a HID relay on the kernel's own HID function. Feature
# reports read as zeros here; `raw-gadget relay` answers as a relay does.
gadget_hid() {
  gadget_create "$1" 0x16c0 0x05df "$3" www.dcttech.com USBRelay2 || return
  # Its attributes are fixed once it is linked.
  hid="$GADGETS/$1/functions/hid.$1"
  mkdir "$hid" || return
  echo 8 >"$hid/report_length"
  printf '\006\000\377\011\001\241\001\011\001\025\000\046\377\000\165\010\225\010\201\002\011\001\221\002\011\001\261\002\300' \
    >"$hid/report_desc"
  ln -s "$hid" "$GADGETS/$1/configs/c.1/hid.$1"
  gadget_plug "$1" "$2"
}

# gadget_storage NAME UDC SERIAL IMAGE: a disk.
gadget_storage() {
  gadget_create "$1" 0x1209 0x0003 "$3" Kelvin "Virtual disk" || return
  gadget_function "$1" "mass_storage.$1" || return
  echo "$4" >"$GADGETS/$1/functions/mass_storage.$1/lun.0/file" || return
  gadget_plug "$1" "$2"
}

# gadget_source NAME UDC SERIAL: the kernel's source and sink of bulk data, for throughput.
gadget_source() {
  gadget_create "$1" 0x1209 0x0004 "$3" Kelvin "Source and sink" || return
  gadget_function "$1" "SourceSink.$1" && gadget_plug "$1" "$2"
}

# gadget_loopback NAME UDC SERIAL: the kernel's echo of bulk data.
gadget_loopback() {
  gadget_create "$1" 0x1209 0x0005 "$3" Kelvin Loopback || return
  gadget_function "$1" "Loopback.$1" && gadget_plug "$1" "$2"
}

# gadget_functionfs NAME SERIAL VENDOR PRODUCT DIRECTORY: prepares a device for ffs-gadget, which
# plugs it in: ffs-gadget BEHAVIOR --gadget $GADGETS/NAME --mount DIRECTORY --udc dummy_udc.0
gadget_functionfs() {
  gadget_create "$1" "$3" "$4" "$2" Kelvin "Virtual instrument" || return
  # ffs-gadget describes no faster speed.
  echo high-speed >"$GADGETS/$1/max_speed"
  gadget_function "$1" "ffs.$1" || return
  # From /, since mount takes a name for a path when there is such a file.
  mkdir -p "$5" && (cd / && mount -t functionfs "$1" "$5")
}
