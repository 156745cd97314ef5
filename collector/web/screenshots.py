"""screenshots.py PROF LIBPROF: takes the pictures in screenshots/ again, of a program that
leaks and burns. Needs chromium, chromedriver, g++ and convert (ImageMagick), which makes
them small."""

import os
import shutil
import subprocess
import sys
import time

HERE = os.path.dirname(os.path.abspath(__file__))
TESTS = os.path.join(HERE, "..", "..", "tests")
sys.path[:0] = [os.path.join(TESTS, "web"), os.path.join(TESTS, "export")]
from webcase import Collector, Page, Programs  # noqa: E402

# name: (address, dark?)
SHOTS = {
    "flame-light": ("/p/{pid}/profile", False),
    "tree-dark": ("/p/{pid}/profile?v=tree&fn=burn", True),
    "process-light": ("/p/{pid}", False),
}


def take(page, pid):
    for name, (address, dark) in SHOTS.items():
        page.size(1000, 560)
        page.dark(dark)
        page.visit(address.format(pid=pid))
        time.sleep(4)
        picture = os.path.join(HERE, "screenshots", name + ".png")
        page.screenshot(picture)
        subprocess.run(["convert", picture, "-strip", "+dither", "-colors", "64", picture], check=True)
        print(name, os.path.getsize(picture), "bytes")


def main(prof, library):
    folder = "/var/tmp/demo"  # stands in the pictures
    os.makedirs(folder)
    collector = Collector(prof, "serve", "--socket", folder + "/socket", "--dir", folder + "/out")
    programs, page = Programs(library, folder + "/socket", folder), Page(collector.url)
    try:
        programs.start("leaking", programs.build("leaking"))
        time.sleep(30)
        take(page, programs.pids["leaking"])
    finally:
        page.close()
        programs.close()
        collector.close()
        shutil.rmtree(folder)


if __name__ == "__main__":
    main(*sys.argv[1:])
