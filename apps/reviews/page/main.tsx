import { showPage } from "@keyline/look";
import { ReviewsPage } from "./reviews-page.tsx";

showPage(<ReviewsPage />);
