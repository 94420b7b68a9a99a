"""wire.py LINK:PORT...: tells of each TCP segment with data from or to a port on a link, a JSON line each, with the
kernel's time of it. Which of two is the request, the first bytes say."""
import json
import socket
import struct
import sys

ETH_P_ALL, SO_TIMESTAMPNS = 3, 35
WATCHED = {(link, int(port)) for link, port in (each.rsplit(":", 1) for each in sys.argv[1:])}

sniffer = socket.socket(socket.AF_PACKET, socket.SOCK_DGRAM, socket.htons(ETH_P_ALL))
sniffer.setsockopt(socket.SOL_SOCKET, SO_TIMESTAMPNS, 1)
sniffer.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 8 << 20)
print("ready", flush=True)
while True:
    packet, ancillary, _, source = sniffer.recvmsg(65536, 64)
    if len(packet) < 40 or packet[0] >> 4 != 4 or packet[9] != socket.IPPROTO_TCP:
        continue
    header = (packet[0] & 15) * 4
    from_port, to_port = struct.unpack("!HH", packet[header:header + 4])
    port = to_port if (source[0], to_port) in WATCHED else from_port
    if (source[0], port) not in WATCHED:
        continue
    data = packet[header + (packet[header + 12] >> 4) * 4:struct.unpack("!H", packet[2:4])[0]]
    if data:
        seconds, nanos = struct.unpack("qq", ancillary[0][2])
        print(json.dumps({"at": seconds + nanos / 1e9, "port": port, "begins": data[:12].decode("latin-1")}), flush=True)
