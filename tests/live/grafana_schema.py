"""By hand: are the dashboards what Grafana's own types say? No part of tests/run, since it takes
node, and npm fetches the types:

    /usr/bin/python3 tests/live/grafana_schema.py [VERSION of @grafana/schema]

Each dashboard is written as a TypeScript constant of the type Dashboard, and each panel's options
and custom field settings as those of its plugin; the compiler finds what is unknown, missing or of
another type. It ends with the compiler's code. Types of 10.4, 11.6, 12.4 and 13.2 accept them."""

import json
import pathlib
import subprocess
import sys
import tempfile

from test_dashboard import panels, written

PLUGINS = {"timeseries": "TimeSeries", "stat": "Stat", "table": "Table", "heatmap": "Heatmap",
           "state-timeline": "StateTimeline", "bargauge": "BarGauge"}
# Literals of a JSON text are no members of an enum, but their texts are the same.
LOOSE = """import type {Dashboard} from '@grafana/schema';
export type Loose<T> = T extends string ? `${T}`
  : T extends number | boolean | null | undefined ? T
  : T extends Array<infer E> ? Array<Loose<E>>
  : T extends object ? {[K in keyof T]: Loose<T[K]>} : T;
type Model = Loose<Dashboard>;
type Annotation = NonNullable<NonNullable<Model['annotations']>['list']>[number];
type Variable = NonNullable<NonNullable<Model['templating']>['list']>[number];
// With what the Prometheus plugin adds to annotations and variables.
type Prometheus = {expr?: string, step?: string, titleFormat?: string, textFormat?: string,
  tagKeys?: string, useValueForTime?: boolean,
  target?: {refId: string, expr: string, interval: string}};
export type Ours = Omit<Model, 'annotations' | 'templating'> & {
  annotations: {list: Array<Omit<Annotation, 'target'> & Prometheus>},
  templating: {list: Array<Variable & {definition?: string}>}};
"""


def panel_lines(dashboards, suffix):
    yield "import type {Loose} from './loose.js';"
    for kind, plugin in PLUGINS.items():
        yield (f"import type * as {plugin} from '@grafana/schema/dist/esm/raw/composable/"
               f"{kind.replace('-', '')}/panelcfg/x/{plugin}PanelCfg_types.gen{suffix}';")
    for name, dashboard in dashboards.items():
        for panel in panels(dashboard):
            plugin, at = PLUGINS[panel["type"]], f"{name}_{panel['id']}"
            yield (f"export const options_{at}: Partial<Loose<{plugin}.Options>> = "
                   f"{json.dumps(panel['options'])};")
            custom = panel["fieldConfig"]["defaults"].get("custom")
            if custom:
                yield (f"export const custom_{at}: Partial<Loose<{plugin}.FieldConfig>> = "
                       f"{json.dumps(custom)};")


def main(version="11.6.0"):
    dashboards = written()
    suffix = ".d.ts" if int(version.split(".")[0]) < 12 else ""  # as the package exports them
    with tempfile.TemporaryDirectory(prefix="picket-test.") as name:
        folder = pathlib.Path(name)
        (folder / "package.json").write_text('{"private": true}')
        subprocess.run(["npm", "install", "--silent", f"@grafana/schema@{version}", "typescript@5"],
                       cwd=folder, check=True)
        (folder / "loose.ts").write_text(LOOSE)
        (folder / "panels.ts").write_text("\n".join(panel_lines(dashboards, suffix)))
        for which, dashboard in dashboards.items():
            (folder / f"{which}.ts").write_text("import type {Ours} from './loose.js';\n"
                                                "export const dashboard: Ours = "
                                                f"{json.dumps(dashboard, indent=1)};\n")
        return subprocess.run(["npx", "tsc", "--noEmit", "--skipLibCheck", "--strict", "--module",
                               "nodenext", "--moduleResolution", "nodenext",
                               *(path.name for path in folder.glob("*.ts"))],
                              cwd=folder, check=False).returncode


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
