import { showPage } from "@keyline/look";
import { FeedPage } from "./feed-page.tsx";
import { openVisit } from "./visit.ts";

showPage(<FeedPage visit={openVisit()} />);
