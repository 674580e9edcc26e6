// What every page of the portal loads. Each part finds its own elements and leaves the rest alone.

import { startConfirming } from "./confirm.js";
import { startCopying } from "./copy.js";
import { startFeed } from "./feed.js";
import { startForms } from "./forms.js";
import { startMenus } from "./menus.js";
import { startPlayer } from "./player.js";
import { startRows } from "./rows.js";
import { startSearch } from "./search.js";
import { startTabs } from "./tabs.js";
import { startTheme } from "./theme.js";
import { startTimes } from "./times.js";
import { startToasts } from "./toasts.js";

startMenus();
startTheme();
startToasts();
startConfirming();
startCopying();
startTabs();
startRows();
startSearch();
startForms();
startTimes();
startPlayer();
startFeed();
