"""prof attach and prof detach again and again, on servers under load: no client sees an error,
no server dies, and every slot is what it was. The long form goes 1,000 rounds on each."""
import os
import pwd
import re
import shutil
import socket
import subprocess
import sys
import threading
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), '../lib'))
from run import LONG, tests  # noqa: E402
from case import FOLDER, Collector, attach, check_permission, detach, slots  # noqa: E402

ROUNDS = 1000 if LONG else 8
NGINX = '''worker_processes 1; pid WORK/pid; error_log WORK/error.log; daemon off;
events { worker_connections 256; }
http { access_log off; client_body_temp_path WORK/b; proxy_temp_path WORK/p; fastcgi_temp_path WORK/f;
 uwsgi_temp_path WORK/u; scgi_temp_path WORK/s; server { listen 127.0.0.1:PORT; root WORK; gzip on; } }
'''
NODE = 'require("http").createServer((q, r) => r.end("a text\\n".repeat(300))).listen(PORT, "127.0.0.1")'
PYTHON = '''
import http.server
class Answer(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        text = b"a text\\n" * 300
        self.send_response(200); self.send_header("Content-Length", str(len(text))); self.end_headers()
        self.wfile.write(text)
    def log_message(self, *_): pass
http.server.ThreadingHTTPServer(("127.0.0.1", PORT), Answer).serve_forever()
'''
JAVA = '''
import com.sun.net.httpserver.HttpServer;
import java.net.InetSocketAddress;
import java.util.concurrent.Executors;
public class Answer {
    public static void main(String[] a) throws Exception {
        HttpServer s = HttpServer.create(new InetSocketAddress("127.0.0.1", PORT), 0);
        byte[] text = "a text\\n".repeat(300).getBytes();
        s.createContext("/", e -> { e.sendResponseHeaders(200, text.length); e.getResponseBody().write(text); e.close(); });
        s.setExecutor(Executors.newFixedThreadPool(8));
        s.start();
    }
}
'''


def free_port():
    with socket.socket() as s:
        s.bind(('127.0.0.1', 0))
        return s.getsockname()[1]


def have(*programs):
    missing = [program for program in programs if not shutil.which(program)]
    if missing:
        print('not tried:', *missing, 'not installed')
    return not missing


class Clients:
    """Threads that fetch a text over HTTP, each time over a new connection."""

    def __init__(self, port):
        self.port, self.count, self.faults, self.ends = port, 0, [], threading.Event()
        self.threads = [threading.Thread(target=self.fetch) for _ in range(3)]
        for thread in self.threads:
            thread.start()

    def once(self):
        with socket.create_connection(('127.0.0.1', self.port), 20) as s:
            s.sendall(b'GET /text HTTP/1.0\r\nHost: localhost\r\n\r\n')
            answer = b''
            while part := s.recv(65536):
                answer += part
        assert answer.endswith(b'a text\n' * 300), (len(answer), answer[:80])

    def fetch(self):
        while not self.ends.is_set():
            try:
                self.once()
                self.count += 1
            except Exception as error:  # any fault is the test's
                self.faults.append(repr(error))

    def end(self):
        self.ends.set()
        for thread in self.threads:
            thread.join()
        assert not self.faults, self.faults[:3]
        assert self.count > ROUNDS, self.count


def wait_for(port, process):
    end = time.time() + 60
    while time.time() < end:
        assert process.poll() is None, f'the server ended with {process.returncode}'
        try:
            socket.create_connection(('127.0.0.1', port), 1).close()
            return
        except OSError:
            time.sleep(0.1)
    raise AssertionError('the server does not answer')


def rounds(pid):
    """Attaches and detaches; returns how long the process stood still, in ms."""
    with Collector():
        attach(pid)  # lazily bound slots are bound when the hooks first call them
        detach(pid)
        before, stops = slots(pid), []
        for _ in range(ROUNDS):
            stops.append(attach(pid))
            detach(pid)
        after = slots(pid)
        changed = [key for key in before if before[key] != after.get(key)]
        # what the program itself bound meanwhile holds an address of its own
        libprof = [key for key in changed if 'libprof' in where(pid, after[key])]
        assert not libprof, libprof
        print(f'{ROUNDS} rounds; stood still for {sorted(stops)[len(stops) // 2]} ms (median), '
              f'{max(stops)} ms at most; {len(changed)} slots bound meanwhile')


def where(pid, address):
    with open(f'/proc/{pid}/maps') as maps:
        for line in maps:
            start, end = (int(x, 16) for x in line.split()[0].split('-'))
            if start <= address < end:
                return line
    return 'libprof: nowhere'  # an address that leads nowhere is as bad


def over_http(command, port, pid_of=lambda process: process.pid, **more):
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, **more)
    try:
        wait_for(port, process)
        clients = Clients(port)
        try:
            rounds(pid_of(process))
        finally:
            clients.end()
        assert process.poll() is None, process.returncode
    finally:
        process.terminate()
        process.wait(20)


def work(name):
    folder = f'{FOLDER}/{name}'
    os.makedirs(folder, exist_ok=True)
    with open(folder + '/text', 'w') as file:
        file.write('a text\n' * 300)
    return folder


def nginx():
    if not have('nginx'):
        return
    port, folder = free_port(), work('nginx')
    os.chmod(FOLDER, 0o755)
    with open(folder + '/conf', 'w') as file:
        file.write(NGINX.replace('PORT', str(port)).replace('WORK', folder))

    def worker(process):
        return int(subprocess.check_output(['pgrep', '-P', str(process.pid)]).split()[0])
    over_http(['nginx', '-p', folder, '-c', folder + '/conf'], port, worker)


def python3():
    port = free_port()
    over_http(['/usr/bin/python3', '-c', PYTHON.replace('PORT', str(port))], port)


def node():
    if not have('node'):
        return
    port = free_port()
    over_http(['node', '-e', NODE.replace('PORT', str(port))], port)


def java():
    if not have('java', 'javac'):
        return
    port, folder = free_port(), work('java')
    with open(folder + '/Answer.java', 'w') as file:
        file.write(JAVA.replace('PORT', str(port)))
    over_http(['java', folder + '/Answer.java'], port)


def redis():
    if not have('redis-server', 'redis-benchmark'):
        return
    port = free_port()
    server = subprocess.Popen(['redis-server', '--port', str(port), '--save', ''],
                              stdout=subprocess.DEVNULL)
    load = None
    try:
        wait_for(port, server)
        load = subprocess.Popen(['redis-benchmark', '-p', str(port), '-l', '-q', '-n', '20000', '-r',
                                 '1000', '-t', 'set,get,lpush,lrange_100'], stdout=subprocess.PIPE,
                                stderr=subprocess.STDOUT, text=True)
        rounds(server.pid)
        assert load.poll() is None and server.poll() is None
        load.terminate()
        said = load.communicate(timeout=20)[0]
        assert not re.search(r'[Ee]rror', said), said[-500:]
    finally:
        for process in (load, server):
            if process:
                process.terminate()
                process.wait(20)


def postgresql():
    """A session's process under pgbench, as the servers' own user."""
    programs = sorted(os.path.join(folder, 'bin') for folder, _, _ in os.walk('/usr/lib/postgresql')
                      if os.path.exists(folder + '/bin/initdb'))
    if not programs or os.getuid():
        print('not tried: PostgreSQL is not installed, or this is not root, who starts it as its user')
        return
    user, folder, port = pwd.getpwnam('postgres'), work('postgresql'), free_port()
    os.chmod(FOLDER, 0o755)
    os.chown(folder, user.pw_uid, user.pw_gid)

    def run(*command, **more):
        return subprocess.run([f'{programs[-1]}/{command[0]}', *command[1:]], user='postgres',
                              group=user.pw_gid, cwd=folder, check=True, capture_output=True, **more)
    run('initdb', '-D', folder + '/data', '-A', 'trust')
    run('pg_ctl', '-D', folder + '/data', '-w', '-l', folder + '/log', '-o',
        f'-p {port} -k {folder} -c listen_addresses= -c fsync=off', 'start')
    load = None
    try:
        run('pgbench', '-h', folder, '-p', str(port), '-i', '-q', 'postgres')
        load = subprocess.Popen([f'{programs[-1]}/pgbench', '-h', folder, '-p', str(port), '-c', '2', '-T',
                                 '3600', 'postgres'], user='postgres', group=user.pw_gid, cwd=folder,
                                stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
        time.sleep(1)
        session = int(subprocess.check_output(['pgrep', '-f', 'postgres: postgres postgres']).split()[0])
        rounds(session)
        assert load.poll() is None, load.communicate()[0]
        os.kill(session, 0)
    finally:
        if load:
            load.kill()
            said = load.communicate()[0]
            assert 'error' not in said.lower(), said
        run('pg_ctl', '-D', folder + '/data', '-m', 'immediate', 'stop')


CASES = [redis, nginx, python3, node, java, postgresql]
if __name__ == '__main__':
    check_permission()
    chosen = [case for case in CASES if case.__name__ in sys.argv[1:]]
    try:
        tests(*(chosen or CASES))
    finally:
        shutil.rmtree(FOLDER, ignore_errors=True)
