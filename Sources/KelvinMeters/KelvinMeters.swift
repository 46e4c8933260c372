// KelvinMeters: the drivers of meters, and what samples them. What measures is behind one protocol,
// `Meter`, whether it is a chip behind the kernel's hwmon class, an energy counter of a processor, a
// daemon on the network or an instrument on USB.
//
// It must not know: jobs, device settings, how anything is stored or printed.
