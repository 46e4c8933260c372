"""Commands through Python's libraries: prints the milliseconds of each as a JSON list.

    peers.py paramiko|devlib PORT KEY
    peers.py adbutils SERVER-PORT SERIAL
"""
import json
import logging
import sys
import time

COUNT = 30


def paramiko_commands(port, key):
    import paramiko
    client = paramiko.SSHClient()
    client.set_missing_host_key_policy(paramiko.AutoAddPolicy())
    client.connect("127.0.0.1", int(port), "tester", key_filename=key, allow_agent=False)

    def run():
        _, output, _ = client.exec_command("true")
        assert output.channel.recv_exit_status() == 0
    return run


def devlib_commands(port, key):
    logging.disable(logging.CRITICAL)
    from devlib import LinuxTarget
    target = LinuxTarget(connection_settings={
        "host": "127.0.0.1", "port": int(port), "username": "tester", "keyfile": key,
        "strict_host_check": False})
    return lambda: target.execute("true")


def adbutils_commands(port, serial):
    import adbutils
    device = adbutils.AdbClient("127.0.0.1", int(port)).device(serial)

    def run():
        assert device.shell2("true").returncode == 0
    return run


def main():
    run = globals()[sys.argv[1] + "_commands"](*sys.argv[2:])
    for _ in range(3):
        run()
    times = []
    for _ in range(COUNT):
        begin = time.monotonic()
        run()
        times.append((time.monotonic() - begin) * 1e3)
    print(json.dumps(times))


if __name__ == "__main__":
    main()
