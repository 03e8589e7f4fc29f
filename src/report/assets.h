/* The page's parts, embedded at build time: see scripts/embed.py. */
#ifndef GLS_REPORT_ASSETS_H
#define GLS_REPORT_ASSETS_H

extern const char gls_asset_page_css[];
extern const char gls_asset_page_js[];
extern const char gls_asset_curves_js[];
extern const char gls_asset_measures_js[];
extern const char gls_asset_findings_js[];
extern const char gls_asset_tables_js[];
extern const char gls_asset_frame_js[];
extern const char gls_asset_start_js[];
extern const char gls_asset_experiment_js[];
extern const char gls_asset_chart_js[];

#endif
