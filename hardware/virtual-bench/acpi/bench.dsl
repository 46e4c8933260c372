// What the virtual x86 boards and the bench host have beyond QEMU's own tables: P-states for two
// CPUs, a thermal zone, a power meter and a battery.
//
// The live values stand in guest RAM at 0x0F000000, which the kernel leaves alone
// (memmap=64K$0xF000000). RAM is a file shared with the host, so whoever maps that file at the same
// offset sets what the guest reads at its next ACPI evaluation. 32-bit little-endian words:
//
//   0 TEMP  tenths of kelvin          4 PWRM  mW
//   8 BVOL  battery, mV              12 BRAT  battery rate, mW
//  16 BCAP  battery remaining, mWh   20 BSTA  1 discharging, 2 charging
//  24 PPCL  _PPC limit of CPU 0      28 PPCB  _PPC limit of CPU 1
//
// The control registers of the P-states are the scratch registers of COM2 (0x2FF) and COM3 (0x3EF):
// acpi-cpufreq takes I/O ports only, and QEMU's monitor can read them (`i /b 0x2ff`).
DefinitionBlock ("bench.aml", "SSDT", 2, "KELVIN", "VBENCH", 0x00000001)
{
    External (\_SB.CPUS.C000, DeviceObj)
    External (\_SB.CPUS.C001, DeviceObj)

    OperationRegion (\VBRG, SystemMemory, 0x0F000000, 0x1000)
    Field (\VBRG, DWordAcc, NoLock, Preserve)
    {
        TEMP, 32, PWRM, 32, BVOL, 32, BRAT, 32, BCAP, 32, BSTA, 32, PPCL, 32, PPCB, 32
    }

    // "LITTLE"
    Scope (\_SB.CPUS.C000)
    {
        Name (_PCT, Package () {
            ResourceTemplate () { Register (SystemIO, 8, 0, 0x2FF, 1) },
            ResourceTemplate () { Register (SystemIO, 8, 0, 0x2FF, 1) }
        })
        // MHz, mW, latency us, bus master latency us, control, status
        Name (_PSS, Package () {
            Package () { 1400, 1500, 10, 10, 0x0E, 0x0E },
            Package () { 1000,  900, 10, 10, 0x0A, 0x0A },
            Package () {  600,  400, 10, 10, 0x06, 0x06 }
        })
        Name (_PSD, Package () { Package () { 5, 0, 0, 0xFC, 1 } })
        Method (_PPC, 0) { Return (\PPCL) }
    }

    // "big"
    Scope (\_SB.CPUS.C001)
    {
        Name (_PCT, Package () {
            ResourceTemplate () { Register (SystemIO, 8, 0, 0x3EF, 1) },
            ResourceTemplate () { Register (SystemIO, 8, 0, 0x3EF, 1) }
        })
        Name (_PSS, Package () {
            Package () { 2400, 6000, 10, 10, 0x18, 0x18 },
            Package () { 2000, 4200, 10, 10, 0x14, 0x14 },
            Package () { 1500, 2600, 10, 10, 0x0F, 0x0F },
            Package () {  800, 1000, 10, 10, 0x08, 0x08 }
        })
        Name (_PSD, Package () { Package () { 5, 0, 1, 0xFC, 1 } })
        Method (_PPC, 0) { Return (\PPCB) }
    }

    Scope (\_TZ)
    {
        ThermalZone (TZ00)
        {
            Method (_TMP, 0) { Return (\TEMP) }
            Name (_CRT, 3832)
            Name (_HOT, 3732)
            Name (_TZP, 10)
        }
    }

    Scope (\_SB)
    {
        Device (PMTR)
        {
            Name (_HID, "ACPI000D")
            Name (_PMC, Package () {
                0x1, 0, 0, 100000, 1000, 1000, 10000, 0xFFFFFFFF, 0, 0, 0,
                "VB-METER", "0001", ""
            })
            Method (_PMM, 0) { Return (\PWRM) }
            Method (_GAI, 0) { Return (1000) }
            Method (_PAI, 1) { Return (0) }
            Name (_PMD, Package () { \_SB.CPUS.C000, \_SB.CPUS.C001 })
        }

        Device (BAT0)
        {
            Name (_HID, EisaId ("PNP0C0A"))
            Method (_STA, 0) { Return (0x1F) }
            // mWh: design 50000, full 48000; 11400 mV
            Name (_BIF, Package () {
                0, 50000, 48000, 1, 11400, 2500, 1000, 100, 100, "VB-BAT", "0001", "LION", "Kelvin"
            })
            Method (_BST, 0)
            {
                Local0 = Package () { 0, 0, 0, 0 }
                Local0[0] = \BSTA
                Local0[1] = \BRAT
                Local0[2] = \BCAP
                Local0[3] = \BVOL
                Return (Local0)
            }
        }
    }
}
